import pytest
import torch

from models.layers.graph import (
    NODE,
    KeypointGraph,
    NodeAttention,
    Pairwise,
    ResidualGraph,
    SemanticConv,
    edge_loss,
    gathered,
    node_features,
    paired_edges,
    skeleton_edges,
    visibility,
)
from pipeline.core.skeletons import OPEC_12, Skeleton


def graph_inputs(count=3):
    return torch.rand(count, 12, 2) * 2 - 1, torch.rand(count, 12)


def test_pairwise_is_a_layer_on_both_ends_joined():
    layer, nodes = Pairwise(NODE, 8, 0.0), torch.randn(2, 12, NODE)
    weight = torch.cat([layer.sender.weight, layer.receiver.weight], 1)
    joined = torch.cat([nodes[:, None].expand(-1, 12, -1, -1), nodes[:, :, None].expand(-1, -1, 12, -1)], -1)
    dense = torch.relu(layer.second(torch.relu(joined @ weight.T + layer.receiver.bias)))
    torch.testing.assert_close(layer(nodes), dense)


def test_gathered_leaves_out_the_node_itself():
    edges = torch.randn(2, 12, 12, 5)
    expected = torch.stack([edges[:, j, [i for i in range(12) if i != j]].sum(1) / 11**0.5 for j in range(12)], 1)
    torch.testing.assert_close(gathered(edges), expected)


def test_order_of_the_nodes_does_not_matter_but_their_type_does():
    network, order = KeypointGraph(16, 2, 0.0).eval(), torch.randperm(12)
    torch.nn.init.normal_(network.decoder.node.second.weight)
    nodes = node_features(*graph_inputs())
    logits = network.encoder(nodes)
    torch.testing.assert_close(network.encoder(nodes[:, order]), logits[:, order][:, :, order])
    edges = torch.softmax(logits, -1)
    moved = network.decoder(nodes[:, order], edges[:, order][:, :, order])
    torch.testing.assert_close(moved, network.decoder(nodes, edges)[:, order], atol=1e-5, rtol=1e-5)
    xy, confidence = graph_inputs()
    assert not torch.allclose(network(xy[:, order], confidence[:, order]).xy, network(xy, confidence).xy[:, order])


def test_untrained_decoder_keeps_the_points():
    xy, confidence = graph_inputs()
    torch.testing.assert_close(KeypointGraph(16, 2, 0.0)(xy, confidence).xy, xy)


def test_dropout_is_off_at_test_time():
    network, given = KeypointGraph(16, 2, 0.5), graph_inputs()
    torch.nn.init.normal_(network.decoder.node.second.weight)
    network.train()
    assert not torch.equal(network(*given).xy, network(*given).xy)
    network.eval()
    assert torch.equal(network(*given).xy, network(*given).xy)


def test_the_second_iteration_tells_an_edge_about_the_other_nodes():
    xy, confidence = graph_inputs(1)
    other = confidence.clone()
    other[0, 5] = 1 - other[0, 5]
    for iterations, far in ((1, False), (2, True)):
        network = KeypointGraph(16, iterations, 0.0).eval()
        change = (network(xy, confidence).edge_logits - network(xy, other).edge_logits).abs()[0]
        assert change[5, 0].max() > 0
        assert bool(change[0, 1].max() > 0) is far


def test_edge_loss_is_low_at_the_truth_and_ignores_unknown_states():
    state = torch.tensor([[0, 0, 0, 0, 0, 0, 1, 1, 2, 3, -1, -1]])
    both = (state == 0)[:, :, None] & (state == 0)[:, None]
    logits = 20.0 * torch.stack([~both, both], -1).float()
    assert edge_loss(logits, state) < 1e-6 < edge_loss(-logits, state)
    changed = logits.clone()
    changed[:, 10:], changed[:, :, 10:] = -5.0, 7.0
    torch.testing.assert_close(edge_loss(changed, state), edge_loss(logits, state))


def test_visibility_is_that_of_the_likeliest_edge():
    both = torch.zeros(1, 12, 12)
    both[0, 3, 4] = both[0, 4, 3] = 0.8
    both[0, 3, 3] = 1.0  # not an edge
    found = visibility(both)
    torch.testing.assert_close(found[0, [3, 4, 5]], torch.tensor([0.8, 0.8, 0.0]))


def chain(count):
    names = tuple(f"joint {k}" for k in range(count))
    links = tuple((k, k + 1) for k in range(count - 1))
    return Skeleton(names, tuple(range(count)), links, (0.1,) * count)


def learnt(module):
    """Weights that are not their first values."""
    for weight in module.parameters():
        torch.nn.init.normal_(weight)
    return module.eval()


def test_a_semantic_convolution_is_the_papers_sum_over_a_nodes_edges():
    layer, nodes = learnt(SemanticConv(3, 2, skeleton_edges(chain(4)))), torch.randn(5, 4, 3)
    found = layer(nodes)
    for k in range(4):
        near = [j for j in range(4) if abs(j - k) <= 1]
        weights = torch.stack([layer.logits[layer.edges[k, j]] for j in near]).softmax(0)
        terms = [layer.itself(nodes[:, j]) if j == k else layer.neighbours(nodes[:, j]) for j in near]
        torch.testing.assert_close(found[:, k], sum(w * t for w, t in zip(weights, terms, strict=True)))


def test_what_no_link_joins_does_not_reach_a_node():
    layer, nodes = learnt(SemanticConv(3, 2, skeleton_edges(OPEC_12))), torch.randn(1, 12, 3)
    changed = nodes.clone()
    changed[0, 5] += 1
    moved = (layer(changed) - layer(nodes)).abs().amax(-1)[0] > 0
    near = {5, *(b for a, b in OPEC_12.links if a == 5), *(a for a, b in OPEC_12.links if b == 5)}
    assert set(moved.nonzero().ravel().tolist()) == near
    torch.testing.assert_close(layer.mixing().sum(1), torch.ones(12))


def test_a_skeleton_without_links_is_one_line():
    with pytest.raises(ValueError, match="expected links between its 3 keypoints, got none; give Skeleton its `links`"):
        skeleton_edges(Skeleton(("a", "b", "c"), (0, 1, 2), (), (0.1,) * 3))


def test_two_bodies_are_joined_at_the_same_joints_and_share_their_weights():
    edges = skeleton_edges(OPEC_12)
    both = paired_edges(edges)
    assert both.shape == (24, 24) and torch.equal(both[:12, :12], edges) and torch.equal(both[12:, 12:], edges)
    across = both[:12, 12:]
    assert torch.equal(across, both[12:, :12]) and torch.equal(across >= 0, torch.eye(12, dtype=torch.bool))
    assert not set(across.diagonal().tolist()) & set(edges.flatten().tolist())


@pytest.mark.parametrize("widths", [(6, 8), (8, 8)])
def test_a_residual_block_of_two_bodies_does_not_know_which_comes_first(widths):
    block, nodes = (
        learnt(ResidualGraph(*widths, paired_edges(skeleton_edges(OPEC_12)), 12)),
        torch.randn(3, 24, widths[0]),
    )
    exchanged = block(nodes.roll(12, 1)).roll(12, 1)
    torch.testing.assert_close(exchanged, block(nodes))
    assert isinstance(block.shortcut, torch.nn.Identity) is (widths[0] == widths[1])


def test_attention_scales_every_joint_by_one_to_two():
    layer, nodes = learnt(NodeAttention(8, 12)), torch.randn(3, 12, 8)
    scale = layer(nodes) / nodes
    torch.testing.assert_close(scale, scale[..., :1].expand_as(scale))
    assert (scale > 1).all() and (scale < 2).all() and scale[0, :, 0].std() > 0
