"""From nodes and graphs to objects: which node each role of an object is given, by LIS or alone, and what that tells.

Boxes are COCO's edges, px; places are in the box's frame, see `models.geometry.boxes`. M nodes, R points of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from calibration.camera import edge_to_pixel
from models.geometry.boxes import CELLS_PER_HALF, MAP_CELLS, cells_of_box, from_box, to_box
from models.klpnet.clpgm import Graph, Nodes
from models.klpnet.lis import Member, assigned, give_out, groups_of, holds

if TYPE_CHECKING:
    from models.klpnet.network import Found, KlpNet

_SAME_CELLS = 1.5  # peaks of two crops that are nearer are one point
_UNLIKE = 0.3  # weight of a node's features being unlike its role's mean ones, beside the roles' logits
_AT_EDGE = 1.1  # half boxes: nodes farther out are another object's
_LINKED = 0.5  # least probability of a link


class Objects(NamedTuple):
    """label (N,), class from 1 on or 0, and aspect (N,) of boxes; places: the boxes (N, 4) px and the number (N,) of
    the picture that each is in, None where that is not known."""

    label: Tensor
    aspect: Tensor
    places: tuple[np.ndarray, np.ndarray] | None


class Reading(NamedTuple):
    """An object's points in its class's own order. xy (R, 2) in the box's frame; score (R,); inferred (R,) bool: no
    node was given the role, and the others tell the place, NaN where they do not; links (R, R) probabilities,
    symmetric, 0 where an end is inferred."""

    xy: np.ndarray
    score: np.ndarray
    inferred: np.ndarray
    links: np.ndarray


@torch.no_grad()
def read_objects(network: KlpNet, found: Found, objects: Objects) -> list[Reading]:
    """What was found, as objects. With `places` and the strategy on, overlapping objects share points by it."""
    if found.graph is None:
        return [_of_table(network, found, objects, n) for n in range(len(objects.label))]
    nodes, graph = found.nodes, found.graph
    labels = objects.label.cpu().numpy()
    if network.settings.lis and objects.places is not None:
        nodes, graph, given = shared_out(network, found, objects)
    else:
        given = [_alone(network, nodes, graph, n, int(label)) for n, label in enumerate(labels)]
    keep = torch.zeros_like(nodes.mask)
    for n, one in enumerate(given):
        keep[n, torch.from_numpy(one[one >= 0]).to(keep.device)] = True
    links = torch.sigmoid(network.linked_up(nodes.rows(keep), objects.label).links).double().cpu().numpy()  # type: ignore[union-attr]
    xy, score = (v.double().cpu().numpy() for v in (nodes.xy, nodes.score))
    return [_reading(network, xy[n], score[n], links[n], given[n], int(label)) for n, label in enumerate(labels)]


def _reading(
    network: KlpNet, xy: np.ndarray, score: np.ndarray, links: np.ndarray, given: np.ndarray, label: int
) -> Reading:
    there = given >= 0
    both = there[:, None] & there & ~np.eye(len(given), dtype=bool)
    places = np.where(there[:, None], xy[given], np.nan)
    if label and not there.all():
        padded = np.full((network.table.most_points, 2), np.nan)
        padded[: len(places)] = places
        places = network.statistics.inferred(label, padded)[: len(places)]
    of_roles = links[np.ix_(given, given)]
    if label:
        of_roles = with_table(of_roles, network.table[label - 1].adjacency())
    return Reading(places, np.where(there, score[given], 0.0), ~there, np.where(both, of_roles, 0.0))


def with_table(links: np.ndarray, adjacency: np.ndarray) -> np.ndarray:
    """(R, R) the mean of what the graph says of links between roles and of what the class's table says of them.

    The graph sees each pair by itself; roles are given out jointly, so that a table's four legs, each of which might be
    any, are four different ones. Which pairs are linked is the table's word, how surely the graph's.
    """
    return (links + adjacency) / 2


def role_costs(graph: Graph, row: int, count: int) -> np.ndarray:
    """(R, M) of giving each of `count` roles a node: minus the logarithm of how much likelier it is than that the node
    is none of the object's."""
    logits = graph.roles[row].double().cpu().numpy()
    return (logits[:, -1:] - logits[:, :count]).T


def _alone(network: KlpNet, nodes: Nodes, graph: Graph, row: int, label: int) -> np.ndarray:
    """(R,) the nodes given to roles, the most confident ones in the box; of an object of no class those that are rather
    points than not."""
    costs = role_costs(graph, row, len(network.table[label - 1]) if label else 1)
    inside = nodes.mask[row] & (nodes.xy[row].abs() <= _AT_EDGE).all(-1)
    rows = np.flatnonzero(inside.cpu().numpy())
    if not label:
        return rows[costs[0, rows] < 0]
    rows = rows[np.argsort(-nodes.score[row].cpu().numpy()[rows], kind="stable")][: len(costs)]
    given = assigned(costs[:, rows])
    return np.where(given >= 0, rows[given] if len(rows) else -1, -1)


def _of_table(network: KlpNet, found: Found, objects: Objects, row: int) -> Reading:
    """An object of a baseline: of category-specific maps every point; of a category-agnostic one its peaks, each the
    point of the class's mean layout that is best for all. Links are the class's own."""
    label = max(int(objects.label[row]), 1)
    one, nodes = network.table[label - 1], found.nodes
    xy, score = nodes.xy[row].double().cpu().numpy(), nodes.score[row].double().cpu().numpy()
    given = np.arange(len(one))
    if network.settings.kind == "agnostic":
        inside = nodes.mask[row].cpu().numpy() & (np.abs(xy) <= _AT_EDGE).all(-1)
        rows = np.flatnonzero(inside)[: len(one)]
        given = nearest_in_layout(network.statistics.layout(label)[: len(one)], xy[rows])
        given = np.where(given >= 0, rows[given] if len(rows) else -1, -1)
    return _reading(network, xy, score, np.ones((len(xy), len(xy))), given, label)._replace(
        links=np.where((given >= 0)[:, None] & (given >= 0), one.adjacency(), False).astype(float)
    )


def nearest_in_layout(layout: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """(R,) of the points of a mean layout (R, 2) the node of (M, 2) that each is given, -1 for none, so that the sum of
    squared distances is least."""
    away = ((np.nan_to_num(layout, nan=1e2)[:, None] - xy) ** 2).sum(-1)
    return assigned(away)


class _Pool(NamedTuple):
    """The points of a group of objects (G,), their rows: place (K, 2) px; number (G, M) of each node's point, -1 for
    none."""

    rows: np.ndarray
    place: np.ndarray
    number: np.ndarray


def shared_out(network: KlpNet, found: Found, objects: Objects) -> tuple[Nodes, Graph, list[np.ndarray]]:
    """LIS: nodes, those among them that only another object of a group has a peak at, their graph, and the node (R,)
    that each role of each object is given."""
    assert objects.places is not None
    boxes, picture = objects.places
    labels = objects.label.cpu().numpy()
    px = from_box(found.nodes.xy.double().cpu().numpy(), boxes[:, None])
    mask = found.nodes.mask.cpu().numpy()
    px_per_cell = boxes[:, 2:].max(-1, initial=0) * MAP_CELLS / (2 * CELLS_PER_HALF * network.size)
    reach = _SAME_CELLS * px_per_cell
    pools = []
    for number in np.unique(picture):
        rows = np.flatnonzero(picture == number)
        pools += [
            pooled(rows[g], px[rows[g]], mask[rows[g]], reach[rows[g]]) for g in groups_of(boxes[rows], labels[rows])
        ]
    nodes, pools = _with_fellows(network, found, objects, pools)
    graph = found.graph if nodes is found.nodes else network.linked_up(nodes, objects.label)
    assert graph is not None
    features = graph.features.double().cpu().numpy()
    given: list[np.ndarray] = [np.zeros(0, int)] * len(boxes)
    for pool in pools:
        label = int(labels[pool.rows[0]])
        if not label:
            for row in pool.rows:
                given[row] = _alone(network, nodes, graph, row, 0)
            continue
        held = holds(boxes[pool.rows], pool.place)
        members = []
        for g, row in enumerate(pool.rows):
            costs = role_costs(graph, row, len(network.table[label - 1]))
            costs = costs + _UNLIKE * network.statistics.unlikeness(label, features[row])[:, : len(costs)].T
            members.append(_member(network, costs, pool, g, held, boxes[row], label))
        for g, (row, one) in enumerate(zip(pool.rows, give_out(members), strict=True)):
            node_of = np.full(len(pool.place) + 1, -1)
            node_of[pool.number[g][pool.number[g] >= 0]] = np.flatnonzero(pool.number[g] >= 0)
            given[row] = node_of[one]
    return nodes, graph, given


def _member(
    network: KlpNet, costs: np.ndarray, pool: _Pool, g: int, held: np.ndarray, box: np.ndarray, label: int
) -> Member:
    of_points = np.full((len(costs), len(pool.place)), np.inf)
    mine = np.flatnonzero(pool.number[g] >= 0)
    of_points[:, pool.number[g][mine]] = costs[:, mine]
    of_points[:, ~held[g]] = np.inf
    mean, deviation = (v[: len(costs), : len(costs)] for v in network.statistics.distances(label))
    return Member(of_points, pool.place / np.hypot(*box[2:]), held[g] & (held.sum(0) == 1), mean, deviation)


def pooled(rows: np.ndarray, px: np.ndarray, mask: np.ndarray, reach: np.ndarray) -> _Pool:
    """The points of a group's peaks px (G, M, 2), of which those of different objects are one where they are nearer
    than the objects' reach (G,)."""
    places: list[np.ndarray] = []
    number = np.full(mask.shape, -1)
    for g in range(len(rows)):
        before = len(places)
        for m in np.flatnonzero(mask[g]):
            away = np.linalg.norm(np.array(places[:before]).reshape(-1, 2) - px[g, m], axis=-1)
            free = ~np.isin(np.arange(before), number[g])
            best = int(np.where(free, away, np.inf).argmin()) if before else -1
            if before and free[best] and away[best] < reach[g]:
                number[g, m] = best
            else:
                number[g, m] = len(places)
                places.append(px[g, m])
    return _Pool(rows, np.array(places).reshape(-1, 2), number)


def _with_fellows(network: KlpNet, found: Found, objects: Objects, pools: Sequence[_Pool]) -> tuple[Nodes, list[_Pool]]:
    """Nodes with those added that an object has no peak at but another of its group has, in its own box; and the pools,
    which count them."""
    assert objects.places is not None
    boxes = objects.places[0]
    lacks = {
        int(row): np.setdiff1d(np.flatnonzero(held), pool.number[g])
        for pool in pools
        for g, (row, held) in enumerate(zip(pool.rows, holds(boxes[pool.rows], pool.place), strict=True))
    }
    most = max((len(one) for one in lacks.values()), default=0)
    if not most:
        return found.nodes, list(pools)
    cells, more = np.full((len(boxes), most, 2), -1.0), {}
    for pool in pools:
        numbers = np.full((len(pool.rows), most), -1)
        for g, row in enumerate(pool.rows):
            mine = lacks[int(row)]
            xy = torch.from_numpy(to_box(pool.place[mine], boxes[row])).float()
            own = cells_of_box(xy[None], objects.aspect[row : row + 1].cpu(), network.size)
            cells[row, : len(mine)] = own[0].numpy()
            numbers[g, : len(mine)] = mine
        more[id(pool)] = numbers
    places = torch.from_numpy(np.round(cells)).long().to(found.cells.device)
    there = ((places >= 0) & (places < network.size)).all(-1)
    extra = network.nodes_at(found.located, places.clamp(0, network.size - 1), there, objects.aspect)
    nodes = Nodes(*(torch.cat(pair, 1) for pair in zip(found.nodes, extra._replace(mask=there), strict=True)))
    seen = there.cpu().numpy()
    return nodes, [
        pool._replace(number=np.concatenate([pool.number, np.where(seen[pool.rows], more[id(pool)], -1)], 1))
        for pool in pools
    ]


def columns_of(readings: Sequence[Reading], boxes_xywh: np.ndarray) -> dict[str, Any]:
    """The columns that the network gives, of objects in boxes (N, 4)."""
    columns: dict[str, list] = {name: [] for name in ("keypoints_2d", "keypoint_score", "keypoint_inferred",
                                                      "keypoint_links", "link_score")}  # fmt: skip
    for one, box in zip(readings, boxes_xywh, strict=True):
        ends = np.argwhere(np.triu(one.links >= _LINKED, 1))
        columns["keypoints_2d"].append(edge_to_pixel(from_box(one.xy, box)))
        columns["keypoint_score"].append(one.score)
        columns["keypoint_inferred"].append(one.inferred)
        columns["keypoint_links"].append(ends)
        columns["link_score"].append(one.links[ends[:, 0], ends[:, 1]])
    return columns
