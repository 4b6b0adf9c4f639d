"""How good KLPNet is on pictures of linked objects that training never saw.

    make evaluate MODEL=klpnet ARGS="--pictures DIR [--split test|other] [--weights FILE] [--without-lis]"

DIR is what RenderLinkedObjects wrote. `other` is a test on which nothing was chosen: other bodies, backdrops, cameras
and proportions of classes. PCK@0.1 is of the longer side of the box, of visible points, `all` of hidden ones, too;
OracleId gives found points the best roles. Links are asked of points found (`recall_all`: of all).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import network_of
from models.contract import Progress
from models.frames import Frame
from models.geometry.boxes import cells_of_box, to_box
from models.klpnet import SPEC
from models.klpnet.clpgm import Graph, Nodes
from models.klpnet.data import LinkedCrops, checked, worth_learning
from models.klpnet.lis import assigned
from models.klpnet.network import KlpNet, asked_points
from models.klpnet.reading import Objects, Reading, nearest_in_layout, read_objects, role_costs, with_table
from models.linked_objects.pictures import LinkedObject, LinkedPicture
from models.linked_objects.shards import LinkedPictures, read_linked
from models.metrics.links import Scored, pooled_scores, score
from pipeline.core.instances import Instances
from readers.texts import expanded

BANDS = {"below 10 %": (0.0, 0.1), "10 to 40 %": (0.1, 0.4), "over 40 %": (0.4, 1.01)}
TRIALS = ("whole", "missing", "extra", "overlap")
_MISSING, _EXTRA = 0.3, 4  # of a trial: fraction of points that lacks; points that are none
_SHAKEN = 0.04  # half boxes, by which a trial's points are off
_BATCH = 16  # pictures


class Judged(NamedTuple):
    """An object's score, its class, how much of it is hidden, how many of its class overlap it, and its body."""

    scored: Scored
    class_id: int
    hidden: float
    overlapping: int
    body: int


def frame_of_picture(picture: LinkedPicture, names: Sequence[str]) -> Frame:
    """A picture as networks take it, with its true boxes and classes."""
    image = np.ascontiguousarray(picture.image[..., ::-1])
    boxes = np.array([one.box_xywh for one in picture.objects], float).reshape(-1, 4)
    columns = {"bbox_xywh": boxes, "class": [names[one.class_id] for one in picture.objects]}
    return Frame(image, Instances(picture.size_hw, columns), picture.name)


def judge(
    network: KlpNet, pictures: Iterable[LinkedPicture], *, lis: bool = True, progress: Progress | None = None
) -> list[Judged]:
    """Every object that is large enough, found in its true box; lis: whether overlapping ones share points by it."""
    listed, judged, own = list(pictures), list[Judged](), network.settings
    network.settings = replace(own, lis=lis)
    try:
        for first in range(0, len(listed), _BATCH):
            judged += _judged(network, [p for p in listed[first : first + _BATCH] if p.objects])
            if progress:
                progress(min(first + _BATCH, len(listed)), len(listed))
    finally:
        network.settings = own
    return judged


def _judged(network: KlpNet, pictures: Sequence[LinkedPicture]) -> Iterator[Judged]:
    for picture, row, reading in readings_of(network, pictures, network.table.names):
        one, count = picture.objects[row], int(picture.overlaps()[row].sum())
        yield Judged(scored_of(network, one, reading), one.class_id, float(one.hidden_fraction), count, one.body)


@torch.inference_mode()
def readings_of(
    network: KlpNet, pictures: Sequence[LinkedPicture], told: Sequence[str]
) -> Iterator[tuple[LinkedPicture, int, Reading]]:
    """Of every object that is large enough its picture, its row and what was found in its true box; told: what the
    network is told of each class, "" that it is none that it knows."""
    if not pictures:
        return
    frames = [frame_of_picture(picture, told) for picture in pictures]
    batch = network.encode(frames)
    boxes = np.concatenate([frame.objects["bbox_xywh"] for frame in frames])
    numbers = np.repeat(np.arange(len(frames)), [len(frame.objects) for frame in frames])
    readings = iter(read_objects(network, network(batch), Objects(batch["label"], batch["aspect"], (boxes, numbers))))
    for picture in pictures:
        for row, reading in enumerate(islice(readings, len(picture.objects))):
            if worth_learning(picture.objects[row]):
                yield picture, row, reading


def scored_of(network: KlpNet, one: LinkedObject, reading: Reading) -> Scored:
    """The score of what was found of an object in its true box."""
    true = np.where(one.inside[:, None], to_box(one.xy, one.box_xywh), np.nan)
    aspect = float(one.box_xywh[2] / one.box_xywh[3])
    return score(reading, true, one.state, aspect, network.table[one.class_id].adjacency())


def table_of_scores(judged: Sequence[Judged], names: Sequence[str]) -> list[dict]:
    """Rows: all objects, those alone and those that overlap one and more of their class, by hidden part, by class."""
    groups: dict[str, Callable[[Judged], bool]] = {"all": lambda j: True, "alone": lambda j: j.overlapping == 0}
    groups |= {"overlaps one": lambda j: j.overlapping == 1, "overlaps more": lambda j: j.overlapping > 1}
    for band, (low, high) in BANDS.items():
        groups[f"{band} hidden"] = lambda j, low=low, high=high: low <= j.hidden < high  # type: ignore[misc]
    groups |= {name: lambda j, k=k: j.class_id == k for k, name in enumerate(names)}  # type: ignore[misc]
    rows = []
    for name, chosen in groups.items():
        mine = [one.scored for one in judged if chosen(one)]
        rows.append({"objects of": name, "count": len(mine), **pooled_scores(mine)})
    return rows


class Trial(NamedTuple):
    """What a trial of links gives: nodes xy (M, 2) of one object, unordered, and which point each is, -1 for none."""

    xy: np.ndarray
    role: np.ndarray


def trial_of(true: np.ndarray, others: np.ndarray, kind: str, rng: np.random.Generator) -> Trial:
    """Nodes of an object with points (R, 2), NaN where there is none, beside points of others (Q, 2): all of them, with
    some missing, with some that are no point, or with the others' in its box."""
    role = np.flatnonzero(np.isfinite(true).all(-1))
    if kind == "missing":
        role = role[rng.uniform(size=len(role)) >= _MISSING]
    more = np.zeros((0, 2))
    if kind == "extra":
        more = rng.uniform(-1, 1, (_EXTRA, 2))
    if kind == "overlap":
        more = others[(np.abs(others) <= 1).all(-1)]
    xy = np.concatenate([true[role], more]) + rng.normal(0, _SHAKEN, (len(role) + len(more), 2))
    order = rng.permutation(len(xy))
    return Trial(xy[order], np.r_[role, np.full(len(more), -1)][order])


def links_by_table(trial: Trial, layout: np.ndarray, adjacency: np.ndarray) -> np.ndarray:
    """(M, M) links that need no learning: the class's own, where nodes best match its mean layout (R, 2)."""
    given = nearest_in_layout(layout, trial.xy)
    links = np.zeros((len(trial.xy),) * 2)
    taken = np.flatnonzero(given >= 0)
    links[np.ix_(given[taken], given[taken])] = adjacency[np.ix_(taken, taken)]
    return links


def links_by_neighbours(trial: Trial, count: int) -> np.ndarray:
    """(M, M) links that need no learning: of every node to those nearest to it."""
    away = np.linalg.norm(trial.xy[:, None] - trial.xy, axis=-1)
    np.fill_diagonal(away, np.inf)
    links = np.zeros_like(away)
    nearest = np.argsort(away, axis=1)[:, : min(count, len(away) - 1)]
    np.put_along_axis(links, nearest, 1.0, axis=1)
    return np.maximum(links, links.T)


@torch.inference_mode()
def link_trials(network: KlpNet, samples: LinkedCrops, count: int, seed: int) -> list[dict]:
    """Rows: F1 of links between given nodes, by trial, of the network and of what needs no learning, with as many
    nearest neighbours as do best here. `count` objects of all pictures are tried, drawn by the seed; only those that
    overlap one of their class with `overlap`."""
    rows = []
    for kind in TRIALS:
        found: dict[str, list[Scored]] = {}
        for index in chosen(samples, kind, count, seed):
            sample = samples[index]
            rng = np.random.default_rng([seed, TRIALS.index(kind), index])
            for name, scored in _tried(network, sample, kind, rng):
                found.setdefault(name, []).append(scored)
        f1 = {name: pooled_scores(scored)["link_f1"] for name, scored in found.items()}
        neighbours = [value for name, value in f1.items() if name.startswith("neighbours")]
        rows.append({"nodes": kind, "objects": len(found.get("table", [])), "CLPGM F1": f1.get("graph", float("nan")),
                     "table on mean layout F1": f1.get("table", float("nan")),
                     "nearest neighbours F1": max(neighbours, default=float("nan"))})  # fmt: skip
    return rows


def chosen(samples: LinkedCrops, kind: str, count: int, seed: int) -> list[int]:
    """Numbers of the samples of a trial: as pictures are in the order of their shards, the first ones would not do."""
    numbers = [n for n in range(len(samples)) if kind != "overlap" or samples.overlapping(n)]
    rng = np.random.default_rng([seed, len(TRIALS)])
    return [numbers[n] for n in sorted(rng.choice(len(numbers), min(count, len(numbers)), replace=False).tolist())]


def _tried(
    network: KlpNet, sample: dict[str, Tensor], kind: str, rng: np.random.Generator
) -> Iterator[tuple[str, Scored]]:
    class_id, aspect = int(sample["class_id"]), float(sample["aspect"])
    adjacency = network.table[class_id].adjacency()
    batch = {name: value[None] for name, value in sample.items()}
    true = asked_points(batch)[0, : len(adjacency)].double().numpy()
    others = sample["others"].double().numpy()
    trial = trial_of(true, others[np.isfinite(others).all(-1)], kind, rng)
    if len(trial.xy) < 2:
        return
    located = network(batch).located
    cells = cells_of_box(torch.from_numpy(trial.xy).float()[None], batch["aspect"], network.size).round().long()
    there = torch.ones(cells.shape[:2], dtype=torch.bool)
    nodes: Nodes = network.nodes_at(located, cells.clamp(0, network.size - 1), there, batch["aspect"])
    nodes = nodes._replace(xy=torch.from_numpy(trial.xy).float()[None], mask=there)
    graph = network.linked_up(nodes, batch["label"])
    methods = {"table": links_by_table(trial, network.statistics.layout(class_id + 1)[: len(adjacency)], adjacency)}
    methods |= {f"neighbours {k}": links_by_neighbours(trial, k) for k in (1, 2, 3, 4)}
    if graph is not None:
        methods["graph"] = _links_of_graph(graph, adjacency)
    nobody = np.zeros(len(trial.xy), bool)
    for name, links in methods.items():
        off_diagonal = np.where(np.eye(len(links), dtype=bool), 0, links)
        reading = Reading(trial.xy, np.ones(len(trial.xy)), nobody, off_diagonal)
        yield name, score(reading, true, sample["state"].numpy(), aspect, adjacency)


def _links_of_graph(graph: Graph, adjacency: np.ndarray) -> np.ndarray:
    """(M, M) links between nodes that roles are given to, as `read_objects` has them; outliers have none."""
    links = torch.sigmoid(graph.links[0]).double().numpy()
    given = assigned(role_costs(graph, 0, len(adjacency)))
    roles = np.flatnonzero(given >= 0)
    found, nodes = np.zeros_like(links), given[roles]
    among = np.ix_(nodes, nodes)
    found[among] = with_table(links[among], adjacency[np.ix_(roles, roles)])
    return found


def load_network(path: Path) -> KlpNet:
    """The network of a weights file; raises FileNotFoundError, and ValueError for weights of another model."""
    return cast(KlpNet, network_of(SPEC, path).eval())


def read_split(network: KlpNet, folder: Path, split: str) -> LinkedPictures:
    """Pictures of the network's classes. Raises FileNotFoundError and ValueError as `read_linked` and `checked`."""
    return checked(read_linked(folder, split), network.table)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; 1 and one line on what is wrong."""
    parser = argparse.ArgumentParser(
        prog="make evaluate MODEL=klpnet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, required=True, help="folder that RenderLinkedObjects wrote")
    parser.add_argument("--split", default="test", choices=("val", "test", "other"), help="(default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="file of weights, else what ships")
    parser.add_argument("--without-lis", action="store_true", help="objects that overlap do not share points")
    asked = parser.parse_args(arguments)
    try:
        network = load_network(expanded(asked.weights, "--weights") if asked.weights else SPEC.shipped)
        pictures = read_split(network, expanded(asked.pictures, "--pictures"), asked.split)
        for rows in (
            table_of_scores(judge(network, pictures, lis=not asked.without_lis), network.table.names),
            link_trials(network, LinkedCrops(pictures, network.settings, 0, augment=False), len(pictures), 0),
        ):
            print("\n".join(_lines(rows)) + "\n")
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def _lines(rows: Sequence[dict]) -> Iterator[str]:
    yield " | ".join(rows[0])
    for row in rows:
        yield " | ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values())


if __name__ == "__main__":
    raise SystemExit(main())
