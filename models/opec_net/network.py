"""OPEC-Net: heatmaps, their integral, the graph that corrects it joint by joint, and the graph of couples behind it.

Poses are in their crop's frame, see `models.geometry.crop_frames`; what is counted in px is scaled by its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.frames import Frame
from models.geometry.crop_frames import cells_of_frame, crop_corners, frame_of_cells
from models.layers import heatmaps
from models.layers.unet import scaled
from models.metrics.keypoints import joint_similarity
from models.network import Batch, Network
from models.opec_net import OpecNetSettings
from models.opec_net.base import base_of, check_heat
from models.opec_net.correction import Correction, Found, Read
from models.opec_net.couples import CoupleGraph
from models.opec_net.predict import decoded, encoded
from pipeline.core.instances import Instances
from pipeline.core.tables import KEYPOINT_STATES

VISIBLE = KEYPOINT_STATES.index("visible")


class _Begun(NamedTuple):
    """initial, and xy to correct, (P, K, 2); stays and hold as `Found`'s; confidence (P, K); clues (P, K, C)."""

    initial: Tensor
    xy: Tensor
    stays: Tensor | None
    hold: Tensor | None
    confidence: Tensor
    clues: Tensor


class OpecNet(Network):
    """A batch to learn from holds N couples, or two people who are none: image (N, 2, 3, H, W) uint8 RGB, square
    (N, 2, 3) and union (N, 3) of their frames, couple (N,) bool; xy (N, 2, K, 2), NaN where nobody knows, state
    (N, 2, K), -1 where unknown, and area (N, 2) px. `encode` makes image (P, 3, H, W), square (P, 3), pairs (C, 2) of
    its rows and union (C, 3), and where poses to correct are given also given (P, K, 2), NaN where not, and given_score
    (P, K)."""

    sigmas: Tensor

    required: ClassVar = {
        "image": (2, 3, None, None), "square": (2, 3), "union": (3,), "couple": (), "xy": (2, None, 2),
        "state": (2, None), "area": (2,),
    }  # fmt: skip

    def __init__(self, settings: OpecNetSettings | None = None) -> None:
        settings = settings or OpecNetSettings()
        super().__init__(settings)
        self.aspect, graph, skeleton = settings.aspect, settings.graph, settings.joints
        self.base = base_of(settings)
        self.register_buffer("sigmas", torch.tensor(skeleton.sigmas), persistent=False)
        self.correction = self.couples = self.reading = self.couple_reading = None
        if settings.corrected:
            self.begins_anew = settings.begins == "auxiliary" and graph.image_guided and graph.adaption
            self.correction = Correction(graph, self.base.maps, skeleton, 4 if self.begins_anew else 1)
            self.reading = nn.Linear(graph.width, 2)
            if graph.couples:
                self.couples = CoupleGraph(graph, self.correction.looks, skeleton, settings.aspect)
                self.couple_reading = nn.Linear(graph.width, 2)
        if settings.frozen:
            self.base.requires_grad_(False)

    def train(self, mode: bool = True) -> OpecNet:
        """A frozen base keeps the statistics of its norms, too."""
        super().train(mode)
        if self.settings.frozen:
            self.base.eval()
        return self

    def forward(self, batch: Batch) -> Found:
        """All there is to find. Raises ValueError for heatmaps of another size than the settings'."""
        batch = flattened(batch)
        seen = self.base(scaled(batch["image"]))
        check_heat(seen.heat, self.settings)
        size_hw, first = size_of(seen.heat), self.base.first
        cells, confidence = heatmaps.means_about_peaks(seen.heat)
        base = frame_of_cells(cells, size_hw, first)
        none = batch["pairs"][:0]
        if self.correction is None or self.reading is None:
            return Found(seen.heat, base, confidence, base, None, None, [], None, None, none, [], None)
        mean = heatmaps.integral(seen.heat)
        if self.settings.initial == "blended":
            # The integral of a heatmap of two minds lies between them: right for who hides, off for who is seen.
            mean = torch.lerp(mean, cells, (confidence / self.settings.sure).clamp_max(1.0)[..., None])
        initial = frame_of_cells(mean, size_hw, first)
        adapted = self.correction.adapted(seen.maps)
        begun, heat = self._begun(base, initial, confidence, adapted, batch)
        with torch.autocast(seen.heat.device.type, enabled=False):
            corrected = self.correction(begun.xy, begun.clues, adapted)
            poses, pairs = corrected.poses, batch["pairs"]
            read = _read(self.reading, corrected.nodes)
            found = Found(
                seen.heat, base, begun.confidence, begun.initial, begun.stays, begun.hold, poses, read, heat, none, [],
                None,
            )  # fmt: skip
            if self.couples is None or self.couple_reading is None or not len(pairs):
                return found
            rows = pairs.flatten()  # CoupleGraph learns behind OPEC-Net and changes nothing of it
            given = [value.detach()[pairs] for value in (poses[-1], begun.confidence, corrected.nodes)]
            couple_poses, nodes = self.couples(
                *given, [one.detach()[rows] for one in adapted], batch["square"][pairs], batch["union"]
            )
            couple_read = _read(self.couple_reading, nodes)
        return found._replace(pairs=pairs, couple_poses=couple_poses, couple_read=couple_read)

    def _begun(
        self, base: Tensor, initial: Tensor, confidence: Tensor, adapted: list[Tensor], batch: Batch
    ) -> tuple[_Begun, Tensor | None]:
        """What the graph begins with, and CFA's heatmaps where they are of use."""
        assert self.correction is not None
        heat, xy, sure, clues = None, initial, confidence, [confidence[..., None]]
        if self.begins_anew or not torch.is_inference_mode_enabled():
            heat = self.correction.heat(adapted)
        if self.begins_anew and heat is not None:
            cells, sure = heatmaps.means_about_peaks(heat)
            xy = frame_of_cells(cells, size_of(heat))
            clues += [sure[..., None], base - xy]
        stays, hold = {"none": None, "visible": base, "sure": xy}[self.settings.stays], None
        if self.settings.stays == "sure":
            hold = (sure / self.settings.stays_from).clamp_max(1.0).detach()
        if "given" in batch:  # of a joint that nobody gives, the heatmaps' own
            there = batch["given"].isfinite().all(-1)
            initial, xy = (torch.where(there[..., None], batch["given"], one) for one in (initial, xy))
            stays = None if stays is None else torch.where(there[..., None], batch["given"], stays)
            hold = None if hold is None else hold * ~there
            confidence = torch.where(there, batch["given_score"], confidence)
            clues[0] = confidence[..., None]
        return _Begun(initial, xy, stays, hold, confidence, torch.cat(clues, -1)), heat

    def loss(self, pred: Found, batch: Batch) -> dict[str, Tensor]:
        """Equation 3: L1 over labelled joints; beside it the heatmaps', CFA's heatmap's, states' and scores'."""
        s, batch = self.settings, flattened(batch)
        with torch.autocast(pred.heat.device.type, enabled=False):
            parts = {} if s.frozen else {"heatmap": self._heatmap_loss(pred, batch)}
            if pred.poses:
                parts |= self._pose_losses(pred, batch)
        return {"total": torch.stack(list(parts.values())).sum(), **parts}

    def _heatmap_loss(self, pred: Found, batch: Batch) -> Tensor:
        """Cross-entropy with narrow Gaussians about visible joints, or all, as the settings say."""
        size_hw, xy = size_of(pred.heat), batch["xy"]
        if self.settings.base.labels == "visible":
            xy = torch.where((batch["state"] == VISIBLE)[..., None], xy, torch.nan)
        cells = cells_of_frame(xy, size_hw, self.base.first)
        weight = self.settings.heatmap_weight if self.settings.corrected else 1.0
        return weight * heatmaps.cross_entropy(pred.heat, heatmaps.gaussian_targets(cells, size_hw))

    def _pose_losses(self, pred: Found, batch: Batch) -> dict[str, Tensor]:
        s, target = self.settings, batch["xy"]
        labelled = target.isfinite().all(-1)
        learnt = labelled & self.kept(pred, batch)[:, None]
        weights = s.pose_weights[-len(pred.poses) :]
        parts: dict[str, Tensor] = {}
        if s.initial != "given" and not s.frozen:
            parts["initial"] = l1(pred.initial, target, labelled)
        for number, (weight, pose) in enumerate(zip(weights, pred.poses, strict=True), 1):
            parts[f"pose_{number}"] = weight * l1(pose, target, learnt)
        if pred.auxiliary is not None:
            size_hw = size_of(pred.auxiliary)
            mean = frame_of_cells(heatmaps.integral(pred.auxiliary), size_hw)
            parts["auxiliary"] = s.auxiliary_weight * l1(mean, target, labelled)
            if s.auxiliary_heatmap_weight:
                every = heatmaps.gaussian_targets(cells_of_frame(target, size_hw), size_hw)
                parts["auxiliary_heatmap"] = s.auxiliary_heatmap_weight * heatmaps.cross_entropy(pred.auxiliary, every)
        if pred.read is not None:
            parts["reading"] = s.reading_weight * self._reading_loss(pred.read, pred.by_method()["opec"], batch)
        if pred.couple_poses and pred.couple_read is not None:
            rows = pred.pairs.flatten()
            poses = [pose.flatten(0, 1) for pose in pred.couple_poses]
            losses = [w * l1(pose, target[rows], learnt[rows]) for w, pose in zip(weights, poses, strict=True)]
            parts["couple"] = torch.stack(losses).sum()
            of_rows = {name: batch[name][rows] for name in ("xy", "state", "square", "area")}
            parts["couple_reading"] = s.reading_weight * self._reading_loss(
                pred.couple_read, pred.held(poses[-1], pred.couple_read, rows), of_rows
            )
        return parts

    def kept(self, pred: Found, batch: Batch) -> Tensor:
        """(P,) whose corrections are learnt: more than 5 visible joints, and an initial pose of OKS above 0.3."""
        visible = (batch["state"] == VISIBLE) & batch["xy"].isfinite().all(-1)
        alike, labelled = self.similarity(pred.initial.detach(), batch)
        oks = alike.sum(-1) / labelled.sum(-1).clamp_min(1)
        return (visible.sum(-1) > self.settings.least_visible) & (oks > self.settings.least_oks)

    def similarity(self, xy: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(P, K) of poses (P, K, 2) the terms of OKS, 0 where nothing is labelled, and which are labelled."""
        size = crop_corners(batch["square"], self.aspect)[1][:, None]
        return joint_similarity(xy * size / 2, batch["xy"] * size / 2, batch["area"], self.sigmas)

    def _reading_loss(self, read: Read, xy: Tensor, batch: Batch) -> Tensor:
        alike, labelled = self.similarity(xy.detach(), batch)
        known = batch["state"] >= 0
        states = F.binary_cross_entropy_with_logits(read.visible, (batch["state"] == VISIBLE).float(), reduction="none")
        scores = F.binary_cross_entropy_with_logits(read.score, alike, reduction="none")
        pairs = (states, known), (scores, labelled)
        return torch.stack([(values * among).sum() / among.sum().clamp_min(1) for values, among in pairs]).sum()

    def metrics(self, pred: Found, batch: Batch) -> dict[str, Tensor]:
        """Mean OKS of all labelled joints, of the visible and of the hidden ones, by method; oks is the final's."""
        batch, result = flattened(batch), {}
        visible = batch["state"] == VISIBLE
        for name, xy in {**pred.by_method(), "": pred.final}.items():
            alike, labelled = self.similarity(xy, batch)
            hidden = labelled & (batch["state"] > VISIBLE)
            for kind, chosen in (("", labelled), ("_visible", labelled & visible), ("_hidden", hidden)):
                if name or not kind:
                    of_people = (alike * chosen).sum(-1) / chosen.sum(-1).clamp_min(1)
                    label = "_".join(filter(None, [f"oks{kind}", name]))
                    result[label] = torch.stack([of_people.sum(), chosen.any(-1).sum()]).double()
        return result

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """See `predict.encoded`."""
        return encoded(frames, self.settings)

    def decode(self, pred: Found, frames: Sequence[Frame]) -> list[Instances]:
        """See `predict.decoded`."""
        return decoded(pred, frames, self.settings)

    def start_from(self, state: dict[str, Tensor], path: Path) -> None:
        """Weights of a file; of one that lacks some parts, as a base alone lacks the graphs, those start anew."""
        parts = {name.split(".")[0] for name in state}
        ours = {n: v for n, v in self.state_dict().items() if n.split(".")[0] not in parts or n.startswith(_ADDED)}
        super().start_from({**ours, **state}, path)


_ADDED = ("base.fourth.", "base.tail.", "base.heat.")  # of a control, which begins with a base that lacks them


def size_of(heat: Tensor) -> tuple[int, int]:
    """Rows and columns of heatmaps (..., H', W')."""
    return heat.shape[-2], heat.shape[-1]


def _read(layer: nn.Linear, nodes: Tensor) -> Read:
    visible, score = layer(nodes).unbind(-1)
    return Read(visible, score)


def l1(xy: Tensor, target: Tensor, chosen: Tensor) -> Tensor:
    """Mean absolute difference of the chosen (P, K) joints' x and y; 0 where none is chosen."""
    off = torch.where(chosen[..., None], xy - torch.where(chosen[..., None], target, 0.0), 0.0).abs()
    return off.sum() / (2 * chosen.sum()).clamp_min(1)


def flattened(batch: Batch) -> Batch:
    """A batch of couples as one of their people with `pairs`, and any other batch as it is."""
    if "couple" not in batch:
        return batch
    count, couple = len(batch["couple"]), batch["couple"]
    people = {name: value.flatten(0, 1) for name, value in batch.items() if name not in ("couple", "union")}
    rows = torch.arange(2 * count, device=couple.device).view(count, 2)
    return people | {"pairs": rows[couple], "union": batch["union"][couple]}
