"""Any instance segmentation network of mmdet: its config, by path or by the zoo's name, with a checkpoint of weights.

A config is Python that runs when it is read: name configs that you trust. Checkpoints are read as data.
Frames go through the config's own test pipeline, several at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.mm.configs import is_zoo_name
from pipeline.core.instances import Instance, subcategory_of, tight
from pipeline.core.tables import CATEGORY_IDS

RTMDET_INS_TINY = "rtmdet-ins_tiny_8xb32-300e_coco"


@dataclass(frozen=True)
class MmdetSettings:
    """The network, where it runs and what is made of its output."""

    config: str = field(
        default=RTMDET_INS_TINY,
        metadata={
            "help": "mmdet config: path of a .py, which is run, or a name of the model zoo",
            "file": lambda config: not is_zoo_name(config),
        },
    )
    checkpoint: str = field(
        default="",
        metadata={
            "help": "path of the .pth, else the zoo's of that config, which `make weights` downloads",
            "file": True,
        },
    )
    person_classes: str = field(
        default="person,pedestrian,rider", metadata={"help": "names of classes that are a person, comma-separated"}
    )
    vehicle_classes: str = field(
        default="vehicle,car,truck,bus,motorcycle,bicycle,van,suv,pickup truck",
        metadata={"help": "names of classes that are a vehicle; what the network does not know is passed over"},
    )
    min_score: float = field(default=0.35, metadata={"help": "lowest score of a candidate, 0 to 1"})
    nms_iou: float = field(
        default=0.6, metadata={"help": "boxes of one category that overlap more are one object, IoU"}
    )
    min_area_px: int = field(default=40, metadata={"help": "smallest mask, pixels"})
    device: str = field(default="auto", metadata={"help": "cpu, cuda, cuda:1, or auto: CUDA if there", "speed": True})
    batch: int = field(default=4, metadata={"help": "frames that the network sees at a time", "speed": True})
    threads: int = field(default=1, metadata={"help": "CPU threads inside one worker", "speed": True})

    def __post_init__(self) -> None:
        for name in ("batch", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"detector mmdet: {name}: expected 1 or more, got {getattr(self, name)}")


class MmdetDetector:
    """Detector that runs a network of mmdet."""

    def __init__(self, settings: MmdetSettings, ignore: np.ndarray | None = None) -> None:
        import torch

        from models.mm import check_operators, pick_device, require
        from models.mm.checkpoints import load_model_state, read_zoo_checkpoint
        from models.mm.configs import build_network, read_config, resolve_config

        require("mmdet")
        device = pick_device(settings.device)
        check_operators(device)
        self.settings, self.ignore, self.batch = settings, ignore, settings.batch
        checkpoint = Path(settings.checkpoint)
        if not settings.checkpoint:
            raise ValueError("detector mmdet: checkpoint: expected the path of a .pth, got none")
        config = read_config(resolve_config(settings.config))
        _drop_unlikely(config, settings.min_score)
        read = read_zoo_checkpoint(checkpoint)
        torch.set_num_threads(settings.threads)
        model = build_network(config)
        load_model_state(model, read.state, checkpoint)
        self.model = model.to(device).eval()
        names = read.classes or _configured_classes(config)
        _check_count(names, model, settings.config)
        self.names, self.categories = names, _categories_of_classes(names, settings)
        self.pipeline = _test_pipeline(config)

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]:
        """Instances of a frame (H, W, 3) uint8, best first."""
        return self.many([image_bgr])[0]

    def many(self, images_bgr: Sequence[np.ndarray]) -> list[list[Instance]]:
        """Instances of each of several frames (H, W, 3) uint8, best first."""
        import torch

        from models.mm import quiet

        packed = [self.pipeline({"img": image, "img_id": 0}) for image in images_bgr]
        batch = {key: [one[key] for one in packed] for key in ("inputs", "data_samples")}
        try:
            with torch.inference_mode(), quiet():
                return [self._instances(sample) for sample in self.model.test_step(batch)]
        except torch.OutOfMemoryError:
            raise ValueError(
                f"detector mmdet: {len(images_bgr)} frames at a time do not fit the GPU; lower its `batch`, or the "
                "processes that share the GPU ([walt3d] cpus)"
            ) from None

    def _instances(self, sample: Any) -> list[Instance]:
        """What is kept of mmdet's data sample: labels (N,), scores (N,) and masks (N, H, W) bool of its instances."""
        found = sample.get("pred_instances")
        if found is None or "masks" not in found:
            raise ValueError(f"{self.settings.config}: it finds no masks of instances; expected instance segmentation")
        labels, scores = found.labels.cpu().numpy(), found.scores.cpu().numpy()
        instances = []
        for k in np.flatnonzero(scores >= self.settings.min_score):
            if int(labels[k]) in self.categories:
                instance = self._instance(
                    int(labels[k]), float(scores[k]), found.masks[int(k)].cpu().numpy().astype(bool)
                )
                instances += [instance] if instance else []
        return _distinct(instances, self.settings.nms_iou)

    def _instance(self, label: int, score: float, mask: np.ndarray) -> Instance | None:
        if self.ignore is not None:
            mask = mask & ~self.ignore
        cropped = tight(mask)
        if cropped is None or np.count_nonzero(cropped[0]) < self.settings.min_area_px:
            return None
        return Instance(self.categories[label], min(score, 1.0), *cropped, subcategory_of(self.names[label]))


def _distinct(instances: list[Instance], iou: float) -> list[Instance]:
    """One instance an object, best first: a van that is found as a car and as a truck is one vehicle."""
    kept: list[Instance] = []
    for category in CATEGORY_IDS:
        own = [instance for instance in instances if instance.category == category]
        boxes, scores = [instance.box_xywh for instance in own], [instance.score for instance in own]
        kept += [own[k] for k in cv2.dnn.NMSBoxes(boxes, scores, 0.0, iou)]
    return sorted(kept, key=lambda instance: -instance.score)


def _categories_of_classes(names: Sequence[str], settings: MmdetSettings) -> dict[int, str]:
    """Category by the number of the class. Raises ValueError where the network knows none of the classes."""
    wanted = {"person": settings.person_classes, "vehicle": settings.vehicle_classes}
    by_name = {part.strip().lower(): key for key, listed in wanted.items() for part in listed.split(",")}
    found = {number: by_name[name.lower()] for number, name in enumerate(names) if name.lower() in by_name}
    if not found:
        raise ValueError(
            f"{settings.config}: none of person_classes and vehicle_classes is one of its {len(names)} classes: "
            f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
        )
    return found


def _configured_classes(config: Any) -> tuple[str, ...]:
    """The classes that the config's test set names, else those of its kind of data set."""
    from mmdet.registry import DATASETS
    from mmengine.registry import DefaultScope

    dataset = config.get("test_dataloader", {}).get("dataset", {})
    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
        kind = DATASETS.get(str(dataset.get("type", config.get("dataset_type", "CocoDataset"))))
    for meta in (dataset.get("metainfo"), config.get("metainfo"), getattr(kind, "METAINFO", None)):
        if meta and (names := meta.get("classes", meta.get("CLASSES"))):
            return (names,) if isinstance(names, str) else tuple(names)
    raise ValueError(f"{config.filename}: neither the checkpoint nor the config says how the classes are called")


def _check_count(names: Sequence[str], model: Any, config: str) -> None:
    counts = {module.num_classes for module in model.modules() if hasattr(module, "num_classes")}
    if counts and len(names) not in counts:
        known = ", ".join(str(count) for count in sorted(counts))
        raise ValueError(
            f"{config}: the network tells {known} classes apart, but {len(names)} are named; put theirs into "
            "test_dataloader.dataset.metainfo.classes"
        )


def _drop_unlikely(config: Any, score: float) -> None:
    """Have the network leave out what is thrown away anyhow, before it renders its mask over the whole frame."""
    tests: Any = config.model.get("test_cfg") or {}
    part: Any = tests.get("rcnn", tests) or {}
    if "score_thr" in part:
        part.score_thr = score


def _test_pipeline(config: Any) -> Any:
    """The config's steps from a frame to the network's input, without reading files and annotations."""
    from mmcv.transforms import Compose
    from mmdet.utils import get_test_pipeline_cfg
    from mmengine.registry import DefaultScope

    try:
        steps = get_test_pipeline_cfg(config)
    except (AttributeError, KeyError, RuntimeError):
        raise ValueError(f"{config.filename}: expected test_dataloader.dataset.pipeline, got none") from None
    kept = [step for step in steps if not _step_name(step).startswith("Load")]
    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
        return Compose([{"type": "mmdet.LoadImageFromNDArray"}, *kept])


def _step_name(step: dict[str, Any]) -> str:
    kind = step["type"]
    return kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__
