"""TrainDetector: an instance segmenter of a camera's own clip-art. EvaluateDetector: how well it does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import luigi

from models.detector.pictures import source_of
from models.detector.presets import PRESETS
from pipeline.core.storage import write_json
from tasks.common.console import Report
from tasks.common.stage import data_root_of
from tasks.compose import GenerateClipArt


class _DetectorRun(luigi.Task):
    """A run's parameters, which both tasks share."""

    camera = luigi.Parameter(default="cam07", description="camera whose clip-art it learns from")
    preset = luigi.Parameter(default="tiny", description="tiny for two CPU cores, base for a GPU")
    run_name = luigi.Parameter(default="", description="name of the run, else detector-<camera>-<preset>[-amodal]")
    masks = luigi.ChoiceParameter(
        default="visible", choices=["visible", "amodal"], description="masks to learn: what is seen, or the whole"
    )
    steps = luigi.IntParameter(default=0, description="optimiser steps, else the preset's")
    init_from = luigi.Parameter(default="", description="weights to start from, .pth, as those of the model zoo")
    labels = luigi.Parameter(default="", description="COCO dataset to learn from instead of clip-art")
    images = luigi.Parameter(default="", description="folder of its pictures, else the labels'")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML, else data_manifest/cameras")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.preset not in PRESETS:  # told before anything is drawn
            raise ValueError(f"{self.task_family}: expected --preset of {', '.join(PRESETS)}, got {self.preset!r}")

    @property
    def folder(self) -> Path:
        """The run's folder."""
        amodal = "-amodal" if self.masks == "amodal" and not self.labels else ""
        name = self.run_name or f"detector-{'coco' if self.labels else self.camera}-{self.preset}{amodal}"
        return data_root_of(self.data_root) / "runs" / name

    @property
    def source(self) -> dict[str, str]:
        """The pictures, as `models.detector.dataset.open_pictures` takes them."""
        made = self._clip_art()
        return source_of("" if self.labels else made.folder / made.product, self.masks, self.labels, self.images)

    def _clip_art(self) -> GenerateClipArt:
        return GenerateClipArt(camera=self.camera, data_root=self.data_root, manifests=self.manifests)


class TrainDetector(_DetectorRun):
    """Train an mmdet instance segmenter, or go on where a stopped run was; it lies in <data root>/runs/<run>."""

    def requires(self) -> list[luigi.Task]:
        """The camera's shards, unless labels are given."""
        return [] if self.labels else [self._clip_art()]

    def output(self) -> luigi.LocalTarget:
        """The weights, written when the last step is done."""
        return luigi.LocalTarget(str(self.folder / "weights.pth"))

    def run(self) -> None:
        """Train, or go on, and say how to use what came out."""
        from models.detector.train import CONFIG, train  # torch loads for seconds, other stages do without it

        settings = PRESETS[self.preset]
        settings = dataclasses.replace(settings, steps=self.steps or settings.steps)
        start = Path(self.init_from).expanduser().resolve() if self.init_from else None
        report = Report(self, "TrainDetector", "steps")
        last = train(settings, self.source, self.folder, init_from=start, progress=report)
        report.close(", ".join(f"{name} {value:.3f}" for name, value in last.items()))
        print(f"detector: {{backend: mmdet, config: {self.folder / CONFIG}, checkpoint: {self.output().path}}}")


class EvaluateDetector(_DetectorRun):
    """COCO's average precision of a run's detector on the scenes that its training kept back, in evaluation.json."""

    def requires(self) -> TrainDetector:
        """The run."""
        return self.clone(TrainDetector)

    def output(self) -> luigi.LocalTarget:
        """The table."""
        return luigi.LocalTarget(str(self.folder / "evaluation.json"))

    def run(self) -> None:
        """Look at every picture that was kept back."""
        import pandas as pd

        from models.detector.dataset import open_pictures
        from models.detector.evaluate import judge
        from models.detector.train import CONFIG
        from pipeline.detection.mmdet import MmdetDetector, MmdetSettings

        weights = self.requires().output().path
        # Low scores count: average precision is over all of them.
        settings = MmdetSettings(config=str(self.folder / CONFIG), checkpoint=weights, min_score=0.02)
        report = Report(self, "EvaluateDetector", "pictures")
        rows = judge(MmdetDetector(settings), open_pictures(**self.source, kept_back=True), report)
        write_json(Path(self.output().path), rows)
        report.close(f"AP50 {rows[0]['AP50']:.3f} of {rows[0]['count']} objects")
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
