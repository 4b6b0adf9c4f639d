"""Detection, tracking and mining on real cameras against annotated boxes, where the footage is at hand.

    python -m benchmarks.real_perception [--check] [--quick] [--data DIR] [--mmdet-checkpoint FILE]

The pipeline's own stages run: each detector on each camera, each tracker on PETS 2009 S2.L1; a camera or network that
is absent is skipped with a reason. AP50 is COCO's, over what the detector keeps at its operating threshold; `recall` is
of all annotated boxes, `recall_seen` of those of which nearer boxes leave more than half in sight, `recall_moving` of
those neither parked nor stopped: a detector of motion cannot see the others. Mining runs after the default tracker.

PETS: people in frames 0 to 399. Truth is amodal and found boxes are of what is visible, so half-hidden people are
missed by their boxes' size alone. Posts and signs that hide people are no part of `recall_seen` or of `precision`, and
a few people, one far off and some at the border, have no box: finding them counts as wrong in AP50 and MOTA.
JamCams: vehicles in two clips. Boxes are loose, most of them interpolated, and the far queue is partly without them:
AP50 is a lower bound there, and so is `precision`, as loose boxes overlap where vehicles do not. No vehicle in them is
marked as parked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.common.job import MANIFESTS, demand, frame_size_hw, run
from benchmarks.common.report import Bar, Report, main
from benchmarks.perception.real_metrics import detected, mined, tracked
from benchmarks.perception.real_truth import vehicle_boxes, with_visible_parts
from benchmarks.pipeline.real_cameras import annotated_boxes, footage, manifest, named_files
from data_manifest import known_cameras
from pipeline.core.storage import read_parts
from pipeline.core.tables import matrix
from pipeline.tracking.registry import trackers
from pipeline.tracking.track import UNTRACKED, TrackingSettings
from tasks.detect import DETECTIONS
from tasks.mine import CUTOUTS
from tasks.track import TRACKS

NETWORKS = ("yolov7-seg_640_fp16.onnx", "yolo11n-seg.onnx")
BARRED = NETWORKS[0].removesuffix(".onnx")
FRAMES = 400  # PETS is labelled so far, and the other clips are shorter
_SEEN = 0.5
_NO_CUTOUTS = "no cutouts among"


@dataclass(frozen=True)
class Scene:
    """Labelled footage: its camera in tests/cameras, what was labelled, and whether identities are worth tracking."""

    name: str
    base: str
    category: str
    tracking: bool = False

    @property
    def labels(self) -> Path:
        """The annotated boxes, beside the video."""
        video = footage(self.base)
        return video.with_name("PETS2009-S2L1_frames0000-0399.xml") if self.tracking else video.with_suffix(".xml")

    @property
    def files(self) -> list[Path]:
        """What this machine must have, whatever the detector."""
        named = named_files(self.base)
        return [self.labels, *(path for (part, _), path in named.items() if part != "detector")]

    def truth(self) -> pd.DataFrame:
        """benchmarks.real_truth's table with `visible`; everyone in PETS moves or may."""
        boxes = annotated_boxes(self.labels).assign(moving=True) if self.tracking else vehicle_boxes(self.labels)
        return with_visible_parts(boxes)


SCENES = (
    Scene("pets", "pets-onnx", "person", tracking=True),
    Scene("jamcam", "jamcam", "vehicle"),
    Scene("jamcam-7355", "jamcam-7355", "vehicle"),
)


@dataclass(frozen=True)
class Choice:
    """A detector as a manifest names it, and the files that it needs."""

    name: str
    detector: dict[str, str]
    files: tuple[Path, ...] = field(default=())


def choices(quick: bool, mmdet_config: Path | None, mmdet_checkpoint: Path | None) -> list[Choice]:
    """The detectors to compare; quick: none of the exported ones."""
    motion = Choice("motion", {"backend": "motion"})
    return [motion, *([] if quick else map(_exported, NETWORKS)), *_given(mmdet_config, mmdet_checkpoint)]


def _given(config: Path | None, checkpoint: Path | None) -> list[Choice]:
    """mmdet's, where there is a checkpoint for it. Raises SystemExit for one that is not there, or a config alone."""
    if checkpoint is None:
        if config is not None:
            raise SystemExit("benchmarks.real_perception: --mmdet-config: expected --mmdet-checkpoint with it")
        return []
    if not checkpoint.is_file():
        raise SystemExit(f"benchmarks.real_perception: --mmdet-checkpoint: no such file: {checkpoint}")
    detector = {"backend": "mmdet", "checkpoint": str(checkpoint.resolve())}
    if config is not None:
        # What is no file is a name of the model zoo.
        detector["config"] = str(config.resolve() if config.is_file() else config)
    return [Choice("mmdet", detector)]


def _exported(network: str) -> Choice:
    # Beside the one that the manifest names, and written as there.
    named = Path(manifest(SCENES[0].base)["detector"]["model"]).with_name(network)
    path = named_files(SCENES[0].base)["detector", "model"].with_name(network)
    return Choice(named.stem, {"backend": "onnx", "model": str(named)}, (path,))


def camera_for(scene: Scene, choice: Choice, folder: Path) -> tuple[str, Path]:
    """The camera with this footage and detector, and its manifest's folder.

    One of tests/cameras where there is such a one, so that its results are shared with other benchmarks; else it is
    written to `folder`.
    """
    content = manifest(scene.base) | {"detector": choice.detector}
    for name in known_cameras(MANIFESTS):
        other = manifest(name)
        if (other["source"], other.get("detector")) == (content["source"], content["detector"]):
            return name, MANIFESTS
    for part, key in (("source", "path"), ("calibration", "tsai_xml"), ("detector", "model")):
        if key in content[part]:
            content[part] = content[part] | {key: str((MANIFESTS / content[part][key]).resolve())}
    name = f"{scene.name}-{choice.name}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return name, folder


def boxes_of(table: pa.Table, scene: Scene) -> pd.DataFrame:
    """The table's boxes of the scene's category in the labelled frames, as benchmarks.real_metrics reads them."""
    kept = [name for name in ("frame_id", "category", "score", "track_id") if name in table.column_names]
    found = table.select(kept).to_pandas().rename(columns={"frame_id": "frame"})
    box = matrix(table["bbox_xywh"], 4)
    found = found.assign(**{key: box[:, k] for k, key in enumerate("xywh")})
    return found[(found["category"] == scene.category) & (found["frame"] < FRAMES)].reset_index(drop=True)


def measure(scene: Scene, choice: Choice, data: Path) -> list[dict]:
    """A row for each tracker."""
    truth = scene.truth()
    camera, manifests = camera_for(scene, choice, data / "manifests")
    options = ("--camera", camera, "--manifests", str(manifests))
    usual = TrackingSettings().tracker
    # The usual one last: mining goes on from its tracks.
    names = [*sorted(set(trackers()) - {usual}), usual] if scene.tracking else [usual]
    followed = {}
    for tracker in names:
        demand("TrackObjects", data, *options, "--TrackObjects-tracker", tracker)
        tracks = boxes_of(pq.read_table(data / camera / TRACKS), scene)
        followed[tracker] = tracked(truth, tracks[tracks["track_id"] != UNTRACKED]) if scene.tracking else {}
    found = boxes_of(read_parts(data / camera / DETECTIONS), scene)
    about = {"camera": scene.name, "detector": choice.name}
    seen = detection(truth, found)
    cutouts = mining(scene, truth, data / camera, options)
    blank = dict.fromkeys(cutouts, "")
    no_truth = dict.fromkeys(("MOTA", "IDF1", "HOTA", "DetA", "switches"), "")
    return [
        about | {"tracker": tracker} | seen | (followed[tracker] or no_truth) | (cutouts if tracker == usual else blank)
        for tracker in reversed(names)
    ]


def detection(truth: pd.DataFrame, found: pd.DataFrame) -> dict[str, Any]:
    """How many boxes were annotated and found, AP50, and recall of all, of those in sight and of those that move."""
    ap50, matched = detected(truth, found)
    moving = matched[truth["moving"]]
    return {
        "annotated": len(truth),
        "found": len(found),
        "AP50": ap50,
        "recall": float(matched.mean()),
        "recall_seen": float(matched[truth["visible"] > _SEEN].mean()),
        "recall_moving": float(moving.mean()) if len(moving) else float("nan"),
    }


def mining(scene: Scene, truth: pd.DataFrame, camera_dir: Path, options: tuple[str, ...]) -> dict:
    """Yield and precision of the camera's cutouts; a camera without any has none."""
    ended = run("MineUnoccluded", camera_dir.parent, *options)
    if ended.code and _NO_CUTOUTS not in ended.output:
        raise SystemExit(f"MineUnoccluded {' '.join(options)} ended with {ended.code}:\n{ended.output[-2000:]}")
    parts = pa.table({"frame_id": [], "category": [], "track_id": [], "bbox_xywh": []})
    if not ended.code:
        parts = read_parts(camera_dir / CUTOUTS, columns=["frame_id", "category", "track_id", "bbox_xywh"])
    return mined(truth, boxes_of(parts, scene), frame_size_hw(camera_dir))


def report(quick: bool, data: Path, mmdet_config: Path | None, mmdet_checkpoint: Path | None) -> Report:
    """The table; its bars bind yolov7-seg on PETS. Quick: PETS without an exported network."""
    rows: list[dict] = []
    skipped: dict[str, str] = {}
    for choice in choices(quick, mmdet_config, mmdet_checkpoint):
        for scene in SCENES[:1] if quick else SCENES:
            lacking = [p.name for p in (*scene.files, *choice.files) if not p.exists()]
            if lacking:
                skipped[f"{choice.name} on {scene.name} skipped"] = f"no {lacking[0]} on this machine"
                print(f"{choice.name} on {scene.name} skipped: no {lacking[0]} on this machine")
            else:
                rows += measure(scene, choice, data)
    return Report(rows, bars(rows), skipped)


def bars(rows: list[dict]) -> list[Bar]:
    """What yolov7-seg has to reach on PETS, tracking by its better tracker."""
    barred = [row for row in rows if (row["camera"], row["detector"]) == (SCENES[0].name, BARRED)]
    if not barred:
        return []
    where = f"{SCENES[0].name} {BARRED}"
    return [
        Bar(f"{where} recall_seen", barred[0]["recall_seen"], at_least=0.94),
        Bar(f"{where} MOTA", max(row["MOTA"] for row in barred), at_least=0.75),
    ]


if __name__ == "__main__":
    main(
        "real_perception",
        __doc__,
        report,
        mmdet_checkpoint="weights of an mmdet detector, to be measured beside the others",
        mmdet_config="its config: a file, or a name of the model zoo",
    )
