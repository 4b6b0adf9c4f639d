"""A kite of four points and a mast of two: nodes matched to them, links wanted, and what the graph's losses ask."""

import json

import numpy as np
import pytest
import torch

from models.klpnet import GraphSettings
from models.klpnet.clpgm import (
    LinkGraph,
    Nodes,
    adjacency,
    link_loss,
    link_targets,
    matched_roles,
    pairs_of,
    role_loss,
    stranger_loss,
)
from models.linked_objects.classes import ClassTable, ObjectClass

KITE = ObjectClass.of_names("kite", ["head", "left tip", "right tip", "tail"], [("head", "left tip"), ("head", "tail")])
MAST = ObjectClass.of_names("mast", ["top", "foot"], [("top", "foot")])
TABLE = ClassTable((KITE, MAST))
TRUE = torch.tensor([[[0.0, -1], [-1, 0], [1, 0], [0, 1]]])


def graph_of(seed=0, **settings):
    torch.manual_seed(seed)
    return LinkGraph(GraphSettings(hidden=12, latent=6, **settings), 5, TABLE)


def nodes_of(count=2, nodes=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(count, nodes, dtype=torch.bool)
    mask[0, -2:] = False
    return Nodes(
        torch.randn(count, nodes, 5, generator=generator), torch.rand(count, nodes, 2, generator=generator) * 2 - 1,
        torch.rand(count, nodes, generator=generator), mask,
    )  # fmt: skip


def test_nodes_are_matched_to_the_points_that_they_are_nearest_to():
    xy = torch.tensor([[[0.05, 0.9], [0.0, 0.7], [-1.0, 0.1], [0.5, -0.5], [1.0, 0.0]]])
    mask = torch.tensor([[True, True, True, True, False]])
    # The second is nearer to nothing that has no nearer one, the fourth too far, the fifth is none.
    assert matched_roles(xy, mask, TRUE, 0.3).tolist() == [[3, 4, 1, 4, 4]]


def test_points_that_nobody_knows_are_matched_by_nothing():
    true = TRUE.clone()
    true[0, 3] = torch.nan
    assert matched_roles(torch.tensor([[[0.0, 1.0]]]), torch.ones(1, 1, dtype=torch.bool), true, 0.3).tolist() == [[4]]


def test_links_are_wanted_between_the_roles_that_the_class_links():
    role = torch.tensor([[3, 4, 0, 1]])
    links = torch.from_numpy(TABLE.adjacency())[[0]]
    wanted = link_targets(role, links)[0]
    assert [tuple(pair) for pair in torch.nonzero(wanted).tolist()] == [(0, 2), (2, 0), (2, 3), (3, 2)]


def test_rows_of_the_graph_differ_though_all_nodes_are_joined():
    nodes = nodes_of()
    graph = adjacency(nodes, torch.tensor(0.5))
    assert torch.allclose(graph, graph.transpose(1, 2), atol=1e-6)
    assert (graph[0, -2:] == 0).all() and (graph[0, :, -2:] == 0).all()
    assert not torch.allclose(graph[0, 0], graph[0, 1])
    even = adjacency(nodes, torch.tensor(1e3))
    assert torch.allclose(even[0, 0, :4], even[0, 1, :4], atol=1e-4)


def test_the_order_of_nodes_makes_no_difference():
    network, nodes, label = graph_of().eval(), nodes_of(), torch.tensor([1, 2])
    order = torch.tensor([3, 1, 0, 2, 5, 4])
    one, other = network(nodes, label), network(Nodes(*(v[:, order] for v in nodes)), label)
    assert torch.allclose(one.links[:, order][:, :, order], other.links, atol=1e-5)
    finite = one.roles.isfinite()
    assert torch.allclose(one.roles[:, order][finite[:, order]], other.roles[other.roles.isfinite()], atol=1e-5)


def test_nodes_that_are_none_change_nothing():
    network, nodes, label = graph_of().eval(), nodes_of(), torch.tensor([1, 1])
    moved = nodes._replace(xy=torch.where(nodes.mask[..., None], nodes.xy, 9.0))
    links, others = network(nodes, label).links, network(moved, label).links
    pairs = pairs_of(nodes.mask)
    assert torch.allclose(links[pairs], others[pairs], atol=1e-6)


def test_the_class_is_part_of_what_links_depend_on():
    network, nodes = graph_of().eval(), nodes_of()
    one, other = (network(nodes, torch.tensor([k, k])).links for k in (1, 2))
    assert not torch.allclose(one, other)


def test_a_class_has_its_own_roles_and_the_outliers():
    roles = graph_of().eval()(nodes_of(3), torch.tensor([1, 2, 0])).roles
    assert torch.isfinite(roles[:, 0]).tolist() == [
        [True] * 4 + [True], [True, True, False, False, True], [True, False, False, False, True],
    ]  # fmt: skip


def test_what_is_learnt_is_sampled_and_what_is_predicted_is_not():
    network, nodes, label = graph_of(), nodes_of(), torch.tensor([1, 2])
    assert torch.equal(network.eval()(nodes, label).z, network(nodes, label).mean)
    assert not torch.equal(network.train()(nodes, label).z, network(nodes, label).mean)


def test_the_loss_falls_where_links_are_likelier():
    """The bound is maximised: as equation 7 stands, as a loss, it would rise."""
    network, nodes, label = graph_of().eval(), nodes_of(), torch.tensor([1, 1])
    target = link_targets(torch.tensor([[0, 1, 2, 3, 4, 4], [3, 0, 1, 4, 4, 2]]),
                          torch.from_numpy(TABLE.adjacency())[[0, 0]])  # fmt: skip
    graph = network(nodes, label)
    sign = target.float() * 2 - 1
    right, wrong = (link_loss(graph._replace(links=k * sign), nodes, target, 1.0, 1.0) for k in (3.0, -3.0))
    assert right < wrong
    wide = graph._replace(log_variance=graph.log_variance + 2, mean=graph.mean + 3)
    assert link_loss(wide, nodes, target, 1.0, 1.0) > link_loss(graph, nodes, target, 1.0, 1.0)


def test_tau_cancels():
    network, nodes = graph_of().eval(), nodes_of()
    graph, target = network(nodes, torch.tensor([1, 1])), torch.zeros(2, 6, 6, dtype=torch.bool)
    target[:, 0, 1] = target[:, 1, 0] = True
    one, other = (link_loss(graph, nodes, target, tau, 0.0) for tau in (1.0, 3.0))
    assert other.item() == pytest.approx(one.item(), rel=1e-5)


def test_nodes_of_strangers_are_to_be_unlinked_and_those_of_one_class_are_nobodys_matter():
    network, nodes = graph_of().eval(), nodes_of()
    labels = torch.tensor([1, 2])
    graph = network(nodes, labels)
    alike = stranger_loss(network, graph, nodes, torch.tensor([1, 1]))
    assert alike == 0
    near = stranger_loss(network, graph._replace(z=graph.z * 0 + 2), nodes, labels)
    apart = graph.z * 0 + torch.tensor([2.0, -2.0])[:, None, None]
    assert stranger_loss(network, graph._replace(z=apart), nodes, labels) < near


def test_without_nodes_there_is_nothing_to_learn():
    network, nodes = graph_of(), nodes_of()
    none = nodes._replace(mask=torch.zeros_like(nodes.mask))
    graph = network(none, torch.tensor([1, 2]))
    role = torch.full((2, 6), 4)
    parts = [
        link_loss(graph, none, torch.zeros(2, 6, 6, dtype=torch.bool), 1.0, 1.0),
        stranger_loss(network, graph, none, torch.tensor([1, 2])),
        role_loss(graph, none, role),
    ]
    assert all(part == 0 for part in parts)


def test_links_reach_places_and_scores_with_gradients():
    network, nodes = graph_of(), nodes_of()
    nodes = nodes._replace(xy=nodes.xy.requires_grad_(), score=nodes.score.requires_grad_())
    network(nodes, torch.tensor([1, 2])).links[pairs_of(nodes.mask)].sum().backward()
    assert (nodes.xy.grad[nodes.mask].abs().sum(-1) > 0).all()
    assert (nodes.score.grad[nodes.mask] != 0).all()


def test_the_table_of_classes_comes_through_json():
    assert json.loads(json.dumps(TABLE.to_plain()))["classes"]["mast"]["points"] == ["top", "foot"]
    assert np.array_equal(TABLE.adjacency().sum((1, 2)), [4, 2])
