"""Which regions are learnt from and which tell of objects: the assigner and the head of regions, registered in mmdet.

A hidden object lies within the whole box of who hides it. So that it is not lost: boxes are not cut at the picture's
edge; every object gets regions of its own to learn from; candidates are one object only where their whole boxes and
what they see are the same, for two objects of one place show different pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures.bbox import bbox2roi
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

from models.layers.regions import box_overlaps, distinct, grown, sample_rasters
from models.scenes.objects import CLASSES
from models.walt3d.heads import Boxes, Inside, keypoint_losses, mask_loss

BACKGROUND = len(CLASSES)
_MOST_IGNORED = 0.5  # of a region that lies where nothing is right or wrong


class Sampled(NamedTuple):
    """Regions of all windows that are learnt from: window (N,), boxes (N, 4), labels (N,), BACKGROUND for nothing; of
    those of objects, the first P, which object of its window (P,)."""

    window: Tensor
    boxes: Tensor
    labels: Tensor
    objects: Tensor

    @property
    def rois(self) -> Tensor:
        """(N, 5) as extractors take them."""
        return _rois(self.window, self.boxes)


@TASK_UTILS.register_module()
class ToldAssigner(MaxIoUAssigner):
    """mmdet's assigner, for which regions that show nothing known, and lie where nothing is told, are neither."""

    def assign(
        self, pred_instances: InstanceData, gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None, **kwargs: Any,
    ) -> AssignResult:  # fmt: skip
        """As MaxIoUAssigner; gt_instances_ignore may hold `map` (1, H, W) bool, and `cell_px` (1,) of its cells."""
        result = super().assign(pred_instances, gt_instances, None, **kwargs)
        if gt_instances_ignore is not None and "map" in gt_instances_ignore and gt_instances_ignore.map.any():
            share = share_of_map(gt_instances_ignore.map[0], pred_instances.priors / gt_instances_ignore.cell_px)
            result.gt_inds[(result.gt_inds == 0) & (share > _MOST_IGNORED)] = -1
        return result


@TASK_UTILS.register_module()
class BalancedSampler(RandomSampler):
    """mmdet's sampler, that takes as many regions of every object as there are places: few regions are of a hidden one.

    By torch's generator alone: the same state gives the same regions.
    """

    def _sample_pos(self, assign_result: AssignResult, num_expected: int, **kwargs: Any) -> Tensor:
        found = torch.nonzero(assign_result.gt_inds > 0).flatten()
        found = found[torch.randperm(len(found), device=found.device)]
        of = assign_result.gt_inds[found]
        place = torch.argsort(of, stable=True)
        count = torch.bincount(of, minlength=1)
        rank = torch.empty_like(found)
        rank[place] = torch.arange(len(found), device=found.device) - (count.cumsum(0) - count)[of[place]]
        return found[torch.argsort(rank, stable=True)[:num_expected]]


def share_of_map(map_: Tensor, boxes: Tensor) -> Tensor:
    """(N,) fraction of each box (N, 4), in cells, that a map (H, W) bool covers, to a cell; by sums over rectangles."""
    sums = F.pad(map_.float().cumsum(0).cumsum(1), (1, 0, 1, 0))
    limit = torch.tensor(map_.shape[::-1] * 2, device=boxes.device)
    left, top, right, bottom = torch.minimum(boxes.round().long().clamp_min(0), limit).unbind(1)
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return inside / ((right - left) * (bottom - top)).clamp_min(1)


@MODELS.register_module()
class AmodalRoIHead(BaseModule):
    """The second stage: classes and boxes of regions, then masks, keypoints and 3D in the boxes that were found.

    box_extractor, inside_extractor, box_head, inside_head, lift_head: configs; lift_head None finds no 3D. The regions
    of inside_head are `grown` times the boxes, for what is hidden lies where a box that is not quite right ends.
    """

    def __init__(
        self, box_extractor: dict, inside_extractor: dict, box_head: dict, inside_head: dict, lift_head: dict | None,
        grown: float, weights: dict, train_cfg: Any = None, test_cfg: Any = None, init_cfg: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(init_cfg)
        self.box_extractor, self.inside_extractor = MODELS.build(box_extractor), MODELS.build(inside_extractor)
        self.box_head, self.inside_head = MODELS.build(box_head), MODELS.build(inside_head)
        self.lift_head = MODELS.build(lift_head) if lift_head else None
        self.grown, self.weights, self.test_cfg = grown, weights, test_cfg
        if train_cfg:
            self.assigner = TASK_UTILS.build(train_cfg.assigner)
            self.sampler = TASK_UTILS.build(train_cfg.sampler, default_args={"context": self})
            self.most_inside = train_cfg.most_inside
        self.coder = TASK_UTILS.build(test_cfg.coder)

    def boxes_of(self, features: tuple[Tensor, ...], rois: Tensor) -> Boxes:
        """What the box head says of regions (N, 5) of feature maps."""
        return self.box_head(self.box_extractor(features[: self.box_extractor.num_inputs], rois))

    def inside_of(self, features: tuple[Tensor, ...], window: Tensor, boxes: Tensor) -> tuple[Inside, Tensor, Tensor]:
        """What is in boxes (N, 4) of pictures (N,); what the box head makes of them (N, D); and the regions (N, 4) over
        which the maps are."""
        context = self.boxes_of(features, _rois(window, boxes)).features
        regions = grown(boxes, self.grown)
        maps = self.inside_extractor(features[: self.inside_extractor.num_inputs], _rois(window, regions))
        return self.inside_head(maps, context), context, regions

    def decoded(self, regions: Tensor, relative: Tensor) -> Tensor:
        """Boxes (N, 4) of what the box head says relative to regions (N, 4)."""
        return self.coder.decode(regions, relative)

    def loss(self, features: tuple[Tensor, ...], proposals: list[InstanceData], samples: list) -> dict[str, Tensor]:
        """L_2D of WALT3D's section 4: class, both boxes, masks and keypoints with their states; and the 3D branch's."""
        sampled = self._sampled(proposals, samples)
        found = self.boxes_of(features, sampled.rois)
        count = len(sampled.objects)
        truth = _of_objects(samples, sampled.window[:count], sampled.objects)
        regions = sampled.boxes[:count]
        losses = {"class": F.cross_entropy(found.logits, sampled.labels)}
        for name, relative in (("whole", found.whole), ("visible", found.visible)):
            target = self.coder.encode(regions, truth[name])
            losses[f"{name}_box"] = F.smooth_l1_loss(relative[:count], target, reduction="sum") / len(found.logits)
        few = _spread(count, self.most_inside * len(samples), regions.device)
        chosen = {name: value[few] for name, value in truth.items()}
        inside, context, seen = self.inside_of(features, sampled.window[few], regions[few])
        size = inside.masks.shape[-1]
        targets = sample_rasters(chosen["masks"].float() / 255, chosen["whole"], seen, size)
        losses["masks"] = mask_loss(inside.masks, targets)
        cells = (chosen["keypoints"] - seen[:, None, :2]) / (seen[:, None, 2:] - seen[:, None, :2]) * size - 0.5
        losses["keypoints"], losses["states"] = keypoint_losses(inside, chosen["labels"], cells, chosen["states"])
        if self.lift_head is not None:
            losses |= self.lift_head.loss(inside, context, seen, chosen)
        return {name: self.weights.get(name, 1.0) * value for name, value in losses.items()}

    def _sampled(self, proposals: list[InstanceData], samples: list) -> Sampled:
        objects, nothing = [], []
        for number, (found, sample) in enumerate(zip(proposals, samples, strict=True)):
            priors = InstanceData(priors=found.bboxes)
            assigned = self.assigner.assign(priors, sample.gt_instances, sample.ignored_instances)
            result = self.sampler.sample(assigned, priors, sample.gt_instances)
            labels, which = result.pos_gt_labels, result.pos_assigned_gt_inds
            objects.append((torch.full_like(labels, number), result.pos_priors, labels, which))
            background = labels.new_full((len(result.neg_priors),), BACKGROUND)
            nothing.append((torch.full_like(background, number), result.neg_priors, background))
        window, boxes, labels = (torch.cat([one[k] for one in (*objects, *nothing)]) for k in range(3))
        return Sampled(window, boxes, labels, torch.cat([one[3] for one in objects]))

    def predict(self, features: tuple[Tensor, ...], proposals: list[InstanceData]) -> list[InstanceData]:
        """Of each picture its objects, best first: labels, scores, bboxes, visible (N, 4), inside's maps and regions,
        and what the 3D branch reads."""
        regions = [found.bboxes for found in proposals]
        pictures = self.boxes_of(features, bbox2roi(regions))
        kept, start = [], 0
        for number, mine in enumerate(regions):
            found = Boxes(*(value[start : start + len(mine)] for value in pictures))
            start += len(mine)
            kept.append(self._kept(mine, found, number))
        window, boxes = (torch.cat([one[name] for one in kept]) for name in ("window", "bboxes"))
        inside, context, seen = self.inside_of(features, window, boxes)
        results, start = [], 0
        for one in kept:
            rows = slice(start, start + len(one))
            one.masks, one.heat, one.states, one.features, one.regions = (v[rows] for v in (*inside, context, seen))
            results.append(one)
            start += len(one)
        return results

    def candidates(self, regions: Tensor, found: Boxes) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Labels, scores, whole and visible boxes (N, 4) of all likely classes of one picture's regions."""
        scores = found.logits.softmax(1)[:, :BACKGROUND]
        row, label = torch.nonzero(scores > self.test_cfg.score_thr, as_tuple=True)
        whole, visible = (self.decoded(regions[row], value[row]) for value in (found.whole, found.visible))
        return label, scores[row, label], whole, visible

    def _kept(self, regions: Tensor, found: Boxes, number: int) -> InstanceData:
        """Of one picture's regions those that show distinct objects."""
        label, score, whole, visible = self.candidates(regions, found)
        overlap = torch.minimum(box_overlaps(whole, whole), box_overlaps(visible, visible))
        overlap = overlap * (label[:, None] == label[None])
        best = distinct(score, overlap, self.test_cfg.overlap)[: self.test_cfg.max_per_img]
        return InstanceData(
            labels=label[best], scores=score[best], bboxes=whole[best], visible=visible[best],
            window=torch.full_like(label[best], number),
        )  # fmt: skip


def _rois(window: Tensor, boxes: Tensor) -> Tensor:
    return torch.cat([window[:, None].to(boxes), boxes], 1)


def _of_objects(samples: list, window: Tensor, objects: Tensor) -> dict[str, Tensor]:
    """What the labels say of the objects (P,) of windows (P,), by name; and `window`."""
    truth = [sample.gt_instances for sample in samples]
    offsets = torch.tensor([0, *[len(one) for one in truth]], device=window.device).cumsum(0)
    rows = offsets[window] + objects
    found = {name: torch.cat([one[name] for one in truth])[rows] for name in truth[0].keys()}  # noqa: SIM118
    return found | {"window": window}


def _spread(count: int, most: int, device: torch.device) -> Tensor:
    """At most `most` of `count` numbers, by chance: each region inside costs many times what its box does."""
    return torch.arange(count, device=device) if count <= most else torch.randperm(count, device=device)[:most]
