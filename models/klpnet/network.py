"""KLPNet: objects of known classes in; their keypoints, whose they are where objects overlap, and the links out.

Images are RGB crops (N, 3, S, S). Places are in the box's frame, see `models.geometry.boxes`; maps have a cell for
every two pixels of a crop. A batch's rows are objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.frames import Frame
from models.geometry.boxes import CELLS_PER_HALF, MAP_CELLS, box_of_cells, cells_of_box
from models.klpnet import KlpNetSettings
from models.klpnet.cklm import (
    CELL_PX,
    CHANNELS,
    Cklm,
    Located,
    channel_loss,
    map_loss,
    peak_cells,
    sampled,
    soft_points,
)
from models.klpnet.clpgm import (
    Graph,
    LinkGraph,
    Nodes,
    link_loss,
    link_targets,
    matched_roles,
    role_loss,
    stranger_loss,
)
from models.klpnet.data import crop_of
from models.klpnet.lis import RoleStatistics
from models.klpnet.reading import Objects, columns_of, read_objects
from models.layers.heatmaps import means_about_peaks
from models.layers.unet import scaled
from models.linked_objects.pictures import TRUNCATED
from models.metrics.keypoints import PCK_FRACTION
from models.metrics.links import Scored, score
from models.network import Batch, Network
from pipeline.core.instances import Instances

_FAINT = 0.01  # peaks of less confidence are no nodes
_NEAR = 0.75  # of what PCK@0.1 allows, within which a node is a point
_LACKS, _SHAKEN = 0.15, 1.0  # of the points given while learning: fraction that lacks, and cells by which they are off
_FALSE = 4  # nodes beside them that are no point
_CLEAN = 0.5  # of objects, a fraction that has neither these nor others' points: so are nodes when links are predicted


class Found(NamedTuple):
    """located, and of the peaks of the last stage's map: cells (N, M, 2) int64, nodes, and their graph; None where the
    network is a baseline without one."""

    located: Located
    cells: Tensor
    nodes: Nodes
    graph: Graph | None


class KlpNet(Network):
    """A batch holds image (N, 3, S, S) uint8 RGB, label (N,), class from 1 on or 0, and aspect (N,), boxes' width /
    height; to learn from also what `data.sample_of` describes."""

    required: ClassVar = {"image": (3, None, None), "label": (), "aspect": (), "class_id": (), "xy": (None, 2),
                          "state": (None,), "others": (None, 2)}  # fmt: skip

    def __init__(self, settings: KlpNetSettings | None = None) -> None:
        super().__init__(settings or KlpNetSettings())
        settings, table = self.settings, self.settings.table
        self.table, self.size = table, settings.cklm.input_px // CELL_PX
        # Cells within which a node is a point.
        self.near = 2 * _NEAR * PCK_FRACTION * CELLS_PER_HALF * self.size / MAP_CELLS
        channels = int(table.counts.sum()) if settings.kind == "specific" else CHANNELS
        self.cklm = Cklm(settings.cklm, len(table), channels)
        implicit = settings.kind == "implicit"
        self.graph = LinkGraph(settings.graph, settings.cklm.widths[0], table) if implicit else None
        self.statistics = RoleStatistics(len(table), table.most_points, settings.graph.hidden)
        self.register_buffer("linked", torch.from_numpy(table.adjacency()), persistent=False)
        starts = np.cumsum([0, *table.counts])[:-1, None] + np.minimum(
            np.arange(table.most_points), table.counts[:, None] - 1
        )
        self.register_buffer("channel", torch.from_numpy(starts), persistent=False)  # (C, P) of each class's points

    def forward(self, batch: Batch) -> Found:
        """What there is to find of objects of known classes in their crops."""
        located = self.cklm(scaled(batch["image"]), batch["label"])
        if self.settings.kind == "specific":
            own = self.own_channels(located.maps[-1], batch["label"])
            cells = own.flatten(2).argmax(-1)
            cells = torch.stack([cells % self.size, cells // self.size], -1)
            return Found(located, cells, self._nodes_of_channels(own, batch), None)
        cells, there = peak_cells(located.maps[-1][:, 0], self.settings.graph.nodes)
        nodes = self.nodes_at(located, cells, there, batch["aspect"])
        return Found(located, cells, nodes, self.linked_up(nodes, batch["label"]))

    def own_channels(self, maps: Tensor, label: Tensor) -> Tensor:
        """(N, P, M, M) of maps with a channel for every point of every class those of the objects' classes (N,)."""
        index = self.channel[(label - 1).clamp_min(0)]  # type: ignore[index]
        return maps.gather(1, index[..., None, None].expand(-1, -1, *maps.shape[2:]))

    def _nodes_of_channels(self, own: Tensor, batch: Batch) -> Nodes:
        spots, _ = means_about_peaks(own, 1)
        best = torch.sigmoid(own.float().flatten(2).amax(-1))
        xy = box_of_cells(spots, batch["aspect"], self.size)
        return Nodes(xy.new_zeros(*xy.shape[:2], 0), xy, best, torch.ones_like(best, dtype=torch.bool))

    def nodes_at(self, located: Located, cells: Tensor, there: Tensor, aspect: Tensor) -> Nodes:
        """Nodes at cells (N, M, 2) of the last maps, with gradients to maps and features; there (N, M): which are."""
        with torch.autocast(cells.device.type, enabled=False):
            spots, confident = soft_points(located.maps[-1], cells)
            features = sampled(located.features, spots, self.size)
            xy = box_of_cells(spots, aspect.float(), self.size)
            return Nodes(features, xy, confident, there & (confident > _FAINT))

    def linked_up(self, nodes: Nodes, label: Tensor) -> Graph | None:
        """The graph of nodes; None where the network has none."""
        if self.graph is None:
            return None
        with torch.autocast(label.device.type, enabled=False):
            return self.graph(nodes, label)

    def loss(self, pred: Found, batch: Batch) -> dict[str, Tensor]:
        """Equation 8 and its parts, the keypoints' of all stages together."""
        s, label = self.settings, batch["label"]
        asked = asked_points(batch)
        own = cells_of_box(asked, batch["aspect"], self.size)
        if self.training:
            self.statistics.update_places(batch["class_id"] + 1, batch["xy"], batch["aspect"])
        pairs = list(zip(pred.located.maps, s.cklm.kernels, strict=True))
        if s.kind == "specific":
            stages = [channel_loss(self.own_channels(m, batch["class_id"] + 1), own, kernel) for m, kernel in pairs]
            keypoints = torch.stack(stages).mean()
            return {"total": keypoints, "keypoints": keypoints}
        others = cells_of_box(batch["others"], batch["aspect"], self.size)
        shown = torch.cat([own, others], 1) if s.cklm.shared else own
        stages = [map_loss(maps, shown, kernel, s.cklm.offset_weight) for maps, kernel in pairs]
        parts = {"keypoints": torch.stack(stages).mean()}
        if self.graph is not None and pred.graph is not None:
            parts["keypoints"] = s.alpha * parts["keypoints"]
            given = self._given_nodes(pred, own, others, batch)
            both = [(pred.nodes, pred.graph), (given, self.graph(given, label))]
            terms = [self._graph_losses(nodes, graph, own, batch) for nodes, graph in both]
            parts |= {name: s.beta * sum(one[name] for one in terms) / len(terms) for name in terms[0]}
            if self.training:
                self.statistics.update_features(label, self._roles(pred.nodes, own, batch), pred.graph.features)
            if s.feedback:
                parts["feedback"] = s.feedback * self._feedback(pred, shown)
        return {"total": torch.stack(list(parts.values())).sum(), **parts}

    def _roles(self, nodes: Nodes, own: Tensor, batch: Batch) -> Tensor:
        """(N, M) roles of nodes by the true points' cells (N, P, 2)."""
        cells = cells_of_box(nodes.xy.detach(), batch["aspect"], self.size)
        return matched_roles(cells, nodes.mask, own, self.near)

    def _graph_losses(self, nodes: Nodes, graph: Graph, own: Tensor, batch: Batch) -> dict[str, Tensor]:
        s = self.settings.graph
        assert self.graph is not None
        role = self._roles(nodes, own, batch)
        target = link_targets(role, self.linked[batch["class_id"]])  # type: ignore[index]
        # Who is not told the class cannot know roles, only that a node is a point.
        known = torch.where((batch["label"] == 0)[:, None] & (role < own.shape[1]), 0, role)
        return {
            "links": link_loss(graph, nodes, target, s.tau, s.kl_weight),
            "strangers": s.stranger_weight * stranger_loss(self.graph, graph, nodes, batch["class_id"] + 1),
            "roles": s.role_weight * role_loss(graph, nodes, known),
        }

    def _given_nodes(self, pred: Found, own: Tensor, others: Tensor, batch: Batch) -> Nodes:
        """Nodes where the true points are, off by a cell, some of them missing, beside those of other objects and some
        that are no point: what the graph learns from before the maps have peaks, and what it must stand."""
        false = torch.rand(len(own), _FALSE, 2, device=own.device) * (self.size - 1)
        places = torch.cat([own, others, false], 1)
        places = places + _SHAKEN * torch.randn_like(places)
        lacks = torch.rand(places.shape[:2], device=own.device) < _LACKS
        lacks[:, own.shape[1] :] |= torch.rand(len(own), 1, device=own.device) < _CLEAN
        cells = places.nan_to_num(-9).round().long()
        there = ((cells >= 0) & (cells < self.size)).all(-1) & ~lacks
        return self.nodes_at(pred.located, cells.clamp(0, self.size - 1), there, batch["aspect"])._replace(mask=there)

    def _feedback(self, pred: Found, shown: Tensor) -> Tensor:
        """Cross-entropy of peaks that are no point of the class, LIS's outliers, as negatives of the map."""
        away = (pred.cells[:, :, None] - shown.nan_to_num(1e4)[:, None]).norm(dim=-1).amin(-1)
        outlier = pred.nodes.mask & (away > self.near)
        negative = F.softplus(torch.logit(pred.nodes.score, eps=1e-6))
        return (negative * outlier).sum() / outlier.sum().clamp_min(1)

    def metrics(self, pred: Found, batch: Batch) -> dict[str, Tensor]:
        """PCK@0.1 of visible and of all points, with the roles found and with those best for it (OracleId), and F1 of
        links between points found; without LIS, whose groups are of pictures, not of crops."""
        objects = Objects(batch["label"], batch["aspect"], None)
        readings = read_objects(self, pred, objects)
        asked, state = asked_points(batch).cpu().double().numpy(), batch["state"].cpu().numpy()
        aspect = batch["aspect"].cpu().double().numpy()
        scored = [
            score(reading, asked[n], state[n], float(aspect[n]), self.table[int(batch["class_id"][n])].adjacency())
            for n, reading in enumerate(readings)
        ]
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in Scored.summed(scored).items()}

    def check_class(self, name: str) -> None:
        """Of an object whose class is not said the points are found, but a name that is mistyped is not none."""
        if _find(name, self.table) is None:
            raise ValueError(f"unknown class {name!r}; expected {', '.join(self.table.names)}, or no class: points "
                             "then have no roles")  # fmt: skip

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """The crops of all frames' objects, one after another, with their classes and boxes' shapes."""
        crops, labels, aspects = [], [], []
        for frame in frames:
            rgb = frame.image[..., ::-1]
            boxes = frame.objects["bbox_xywh"] if len(frame.objects) else np.zeros((0, 4))
            crops += [crop_of(rgb, box, self.settings.cklm.input_px) for box in boxes]
            labels += labels_of(frame.objects, self.table)
            aspects += (boxes[:, 2] / boxes[:, 3]).tolist()
        side = self.settings.cklm.input_px
        image = np.stack(crops) if crops else np.zeros((0, side, side, 3), np.uint8)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2))),
            "label": torch.tensor(labels, dtype=torch.int64),
            "aspect": torch.tensor(aspects, dtype=torch.float32),
        }

    def decode(self, pred: Found, frames: Sequence[Frame]) -> list[Instances]:
        """Of each object, in its class's own order: keypoints_2d (R, 2) px, keypoint_score (R,) and keypoint_inferred
        (R,), where no peak was found and the others tell the place; keypoint_links (L, 2) pairs of these, and
        link_score (L,), how likely each is."""
        counts = [len(frame.objects) for frame in frames]
        boxes = [np.asarray(f.objects["bbox_xywh"], float) if len(f.objects) else np.zeros((0, 4)) for f in frames]
        labels = torch.tensor([k for frame in frames for k in labels_of(frame.objects, self.table)], dtype=torch.int64)
        all_boxes = np.concatenate(boxes) if boxes else np.zeros((0, 4))
        aspect = torch.from_numpy(all_boxes[:, 2] / all_boxes[:, 3]).float()
        device = pred.cells.device
        picture = np.repeat(np.arange(len(frames)), counts)
        objects = Objects(labels.to(device), aspect.to(device), (all_boxes, picture))
        readings, ends = read_objects(self, pred, objects), np.cumsum([0, *counts])
        return [
            frame.objects.with_columns(columns_of(readings[a:b], box))
            for frame, a, b, box in zip(frames, ends[:-1], ends[1:], boxes, strict=True)
        ]


def asked_points(batch: Batch) -> Tensor:
    """(N, P, 2) places of points that are to be found: NaN where unknown or beyond the picture."""
    return batch["xy"].masked_fill((batch["state"] == TRUNCATED)[..., None], torch.nan)


def labels_of(objects: Instances, table) -> list[int]:
    """Of each object the number of its class, from 1 on, by the columns class, subcategory and category, the first that
    the table knows; 0 where it knows none. A vehicle of which no more is known is a car."""
    rows = range(len(objects))
    names = [[objects[c][n] for c in ("class", "subcategory", "category") if c in objects] for n in rows]
    return [next((k + 1 for name in one if (k := _find(name, table)) is not None), 0) for one in names]


def _find(name, table) -> int | None:
    found = table.find(str(name)) if name else None
    return table.find("car") if found is None and name == "vehicle" else found
