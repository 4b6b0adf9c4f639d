"""The network as the house trains and runs it: mmdet's two stages behind `models.network.Network`.

A training batch is what `models.walt3d.data.splits` says; to predict it holds image alone. Images are RGB uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

import models
from models import predictor
from models.contract import Given, Preset, Progress, Spec
from models.frames import Frame
from models.layers.regions import sample_rasters
from models.metrics.keypoints import PCK_FRACTION
from models.mm import require
from models.mm.detectors import built, first_weights, normalised
from models.network import Batch, Network, counted
from models.predictor import Predictor
from models.scenes.evaluate import evaluate_scenes
from models.scenes.objects import MOST_KEYPOINTS
from models.scenes.windows import GREY
from models.walt3d import Walt3dSettings
from models.walt3d.data import IGNORE_PX, MOST, RASTER, splits
from pipeline.core.instances import Instances
from pipeline.core.tables import KEYPOINT_STATES

_MULTIPLE = 32  # sides of a picture, px
_LIKELY = 0.3  # score of what is shown; average precision is over all scores
_HIDDEN_PART = 0.1  # of an object: less of it says little of how well what is hidden is found


class Levels(NamedTuple):
    """The pyramid's feature maps, strides 4 to 64, of pictures of a padded size (H, W)."""

    maps: tuple[Tensor, ...]
    size_hw: tuple[int, int]


class Walt3d(Network):
    """See the module; `detector` is what mmdet builds of `models.walt3d.config`."""

    required: ClassVar = {
        "image": (3, None, None), "ignore": (None, None), "labels": (MOST,), "whole": (MOST, 4), "visible": (MOST, 4),
        "masks": (MOST, 2, RASTER, RASTER), "keypoints": (MOST, MOST_KEYPOINTS, 2), "states": (MOST, MOST_KEYPOINTS),
    }  # fmt: skip

    def __init__(self, settings: Walt3dSettings) -> None:
        super().__init__(settings)
        require("mmdet")
        import models.walt3d.lifting
        import models.walt3d.regions  # noqa: F401  registers what the config names
        from models.walt3d.config import model_config

        self.detector: Any = built(model_config(settings))
        self.heads = self.detector.roi_head

    def initialise(self, seed: int) -> None:
        """mmdet's first weights of the backbone, the pyramid and the proposals."""
        first_weights(self.detector.backbone, self.detector.neck, self.detector.rpn_head)

    def forward(self, batch: Batch) -> Levels:
        """Feature maps of a batch's images; what is found in them, `loss` and `decode` ask the heads."""
        image = batch["image"]
        maps = self.detector.extract_feat(normalised(image))
        # mmcv's RoIAlign takes its input for contiguous, whatever its strides.
        return Levels(tuple(level.float().contiguous() for level in maps), (image.shape[-2], image.shape[-1]))

    def loss(self, pred: Levels, batch: Batch) -> dict[str, Tensor]:
        """Proposals' two terms, and those of `AmodalRoIHead.loss`."""
        samples, rpn = _samples(batch, pred.size_hw), self.detector.rpn_head
        about = [sample.metainfo for sample in samples]
        scores, relative = self._proposed(pred)
        parts = rpn.loss_by_feat(
            scores, relative, [_as_objects(sample.gt_instances) for sample in samples], about,
            [sample.ignored_instances for sample in samples],
        )  # fmt: skip
        losses = {name.removeprefix("loss_"): torch.stack(values).sum() for name, values in parts.items()}
        found = rpn.predict_by_feat(
            [level.detach() for level in scores], [level.detach() for level in relative], batch_img_metas=about,
            cfg=self.detector.train_cfg.rpn_proposal,
        )  # fmt: skip
        with torch.autocast(batch["image"].device.type, enabled=False):
            losses |= self.heads.loss(pred.maps, found, samples)
        return {"total": torch.stack(list(losses.values())).sum(), **losses}

    def _proposed(self, pred: Levels) -> tuple[list[Tensor], list[Tensor]]:
        """Scores and relative boxes of all anchors by level; full precision from here on, for boxes are to a pixel."""
        scores, relative = self.detector.rpn_head(pred.maps)
        return [level.float() for level in scores], [level.float() for level in relative]

    def metrics(self, pred: Levels, batch: Batch) -> dict[str, Tensor]:
        """Of objects whose whole boxes are given: mean IoU of whole, visible and hidden masks; PCK@0.1 by state."""
        window, place = torch.nonzero(batch["labels"] >= 0, as_tuple=True)
        truth = {
            name: batch[name][window, place] for name in ("labels", "whole", "masks", "keypoints", "states", "hidden")
        }
        from models.walt3d.lifting import places

        inside, _, regions = self.heads.inside_of(pred.maps, window, truth["whole"])
        size = inside.masks.shape[-1]
        wanted = sample_rasters(truth["masks"].float() / 255, truth["whole"], regions, size) > 0.5
        found = inside.masks[:, :2] > 0
        result = {"iou_whole": _overlap(found[:, 0], wanted[:, 0]), "iou_visible": _overlap(found[:, 1], wanted[:, 1])}
        rows = truth["hidden"] > _HIDDEN_PART
        both = [(masks[:, 0] & ~masks[:, 1])[rows] for masks in (found, wanted)]
        result["iou_hidden"] = _overlap(both[0], both[1])
        xy, _ = places(inside, truth["labels"], regions)
        side = (truth["whole"][:, 2:] - truth["whole"][:, :2]).amax(1)
        right = (xy - truth["keypoints"]).norm(dim=-1) <= PCK_FRACTION * side[:, None]
        for number, name in enumerate(KEYPOINT_STATES):
            result[f"pck_{name}"] = counted(right, truth["states"] == number)
        return result | {"pck": counted(right, truth["keypoints"].isfinite().all(-1))}

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """The pictures, grey to the right and below, as the largest and a multiple of 32 px ask."""
        size = np.max([frame.size_hw for frame in frames], axis=0)
        height, width = (int(-(-side // _MULTIPLE) * _MULTIPLE) for side in size)
        images = np.full((len(frames), height, width, 3), GREY, np.uint8)
        for image, frame in zip(images, frames, strict=True):
            image[: frame.size_hw[0], : frame.size_hw[1]] = frame.image[..., ::-1]
        return {"image": torch.from_numpy(images.transpose(0, 3, 1, 2).copy())}

    def proposals(self, pred: Levels, sizes_hw: Sequence[tuple[int, int]]) -> list[Any]:
        """Of each picture the regions, `bboxes` (N, 4), that the first stage proposes."""
        about = [_sample(size_hw, pred.size_hw).metainfo for size_hw in sizes_hw]
        return self.detector.rpn_head.predict_by_feat(*self._proposed(pred), batch_img_metas=about, rescale=False)

    def decode(self, pred: Levels, frames: Sequence[Frame]) -> list[Instances]:
        """Of each frame its objects, best first: see the Spec's `gives`."""
        from models.walt3d.predict import objects_of

        found = self.heads.predict(pred.maps, self.proposals(pred, [frame.size_hw for frame in frames]))
        return [objects_of(self, one, frame) for one, frame in zip(found, frames, strict=True)]


class Walt3dPredictor(Predictor):
    """Of frames of any size, one at a time; behind the boxes of people the mesh network finds their bodies."""

    def __init__(self, spec: Spec, network: Network, device: torch.device, *, least: float, bodies: bool) -> None:
        super().__init__(spec, network, device, batch=1)
        self.least = least
        self.mesh_network = models.load("hmr", device=str(device)) if bodies else None

    def predict_batch(self, frames: list[Frame]) -> list[Instances]:
        """Objects of at least the least score, and the bodies of those of them who are people."""
        found = [objects.rows(objects["score"] >= self.least) for objects in super().predict_batch(frames)]
        if self.mesh_network is None:
            return found
        from models.walt3d.predict import with_bodies

        return [with_bodies(objects, frame, self.mesh_network) for objects, frame in zip(found, frames, strict=True)]


def load(
    spec: Spec, weights: Path | None, device: str | None, *, least: float = _LIKELY, bodies: bool = True
) -> Walt3dPredictor:
    """A predictor of a weights file, of objects of at least a score; with people's bodies, or quicker without."""
    house = predictor.load(spec, weights, device)
    return Walt3dPredictor(spec, house.network, house.device, least=least, bodies=bodies)


def measure(
    spec: Spec, preset: Preset, given: Given, weights: Path, *, device: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of `evaluate_scenes` on the scenes that training kept back, in their own size."""
    house, windows = (
        load(spec, weights, device, least=0.0, bodies=False),
        splits(preset.network, given, preset.train.seed).val,
    )
    return evaluate_scenes(house.of_frames, windows.source, progress)  # type: ignore[attr-defined]


def _overlap(found: Tensor, wanted: Tensor) -> Tensor:
    """Sum and count (2,) of the IoU of masks (N, S, S) bool; what is nowhere and not found is no object."""
    union = (found | wanted).sum((1, 2))
    both = (found & wanted).sum((1, 2)) / union.clamp_min(1)
    return torch.stack([both[union > 0].double().sum(), (union > 0).sum().double()])


def _sample(size_hw: tuple[int, int], padded_hw: tuple[int, int]) -> Any:
    from mmdet.structures import DetDataSample

    about = {"img_shape": size_hw, "ori_shape": size_hw, "pad_shape": padded_hw, "batch_input_shape": padded_hw}
    return DetDataSample(metainfo=about | {"scale_factor": (1.0, 1.0)})


def _as_objects(truth: Any) -> Any:
    """The boxes of some objects, all of one class, as proposals are learnt from."""
    return truth.new(bboxes=truth.bboxes, labels=torch.zeros_like(truth.labels))


def _samples(batch: Batch, size_hw: tuple[int, int]) -> list[Any]:
    """The labels of each window as a data sample of mmdet; the window's camera beside each of its objects."""
    from mmengine.structures import InstanceData

    samples = []
    for number, labels in enumerate(batch["labels"]):
        sample, count = _sample(size_hw, size_hw), int((labels >= 0).sum())
        own = {
            name: batch[name][number, :count]
            for name in ("whole", "visible", "masks", "keypoints", "states", "group", "shape", "R", "t")
        }
        shared = {
            name: batch[name][number].expand(count, *batch[name].shape[1:]) for name in ("K", "distortion", "to_frame")
        }
        sample.gt_instances = InstanceData(bboxes=own["whole"], labels=labels[:count], **own, **shared)
        sample.ignored_instances = InstanceData(
            bboxes=labels.new_zeros(1, 4).float(), map=batch["ignore"][number][None],
            cell_px=torch.tensor([IGNORE_PX], device=labels.device),
        )  # fmt: skip
        samples.append(sample)
    return samples
