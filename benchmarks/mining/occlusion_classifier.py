"""Which detections show a whole object: WALT's box overlap at four deltas against the occlusion classifier.

    python -m benchmarks.occlusion_classifier [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]
        [--weights FILE]

Table 5 of the WALT3D paper, as a curve: precision and recall of "unoccluded" over the detections that mining considers.
On cam07 and cam11, days and streets that trained nothing, the simulator says what is whole: visible, inside the frame,
and with a mask, as mining makes it exact, that overlaps the object by 0.75. On PETS, frames 0 to 399, where its footage
is at hand, annotated amodal boxes say who is overlapped by somebody nearer; what the lamp post hides they do not say. A
detection that is nobody's counts as not whole. Notes say what the classifier would do as a gate after mining's rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.common.job import CHECKED_CAMERAS, Site, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import is_clean, match, truth_of
from benchmarks.mining.mining_truth import WHOLE_IOU
from benchmarks.pipeline.real_cameras import annotated_boxes, are_unoccluded, footage, missing
from calibration.camera import Camera, GroundPlane
from models.occlusion_classifier.evaluate import precision_at, precision_recall
from models.predictor import FramePredictor
from pipeline.core.boxes import box_iou
from pipeline.core.tables import matrix
from pipeline.mining.classifier_gate import chances, load_classifier
from pipeline.mining.filter import MiningSettings
from pipeline.mining.observations import from_tracks
from pipeline.mining.occlusion import occluded_by_boxes

DELTAS = (0.01, 0.1, 0.2, 0.5)
GATES = (0.3, 0.5, 0.7)
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
REAL_CAMERAS, REAL_FRAMES = ("pets-onnx", "pets-motion"), 400
PAPER_RECALL, PAPER_PRECISION = 0.81, 0.70  # of the paper's classifier, on its own human labels
_ANY_GAIN = 1e-4  # a delta that refuses nearly nothing leaves little to gain at its recall
_MATCH_IOU = 0.4


def simulated_whole(camera_dir: Path, tracks: pa.Table) -> np.ndarray:
    """(N,) bool by the simulator's truth, for the rows of a TRACKS table."""
    truth = truth_of(camera_dir)
    found = match(tracks.select(["frame_id", "mask_rle"]).to_pandas(), truth, frame_size_hw(camera_dir))
    clean = is_clean(truth).reindex(found["truth_row"], fill_value=False).to_numpy(bool)
    return clean & (found["iou"].to_numpy() >= WHOLE_IOU)


def annotated_whole(boxes: pd.DataFrame, tracks: pa.Table, size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) bool by the annotated amodal boxes (frame, x, y, w, h), for the rows of a TRACKS table."""
    whole = np.zeros(len(tracks), bool)
    seen = matrix(tracks["bbox_xywh"], 4)
    by_frame = {frame: rows for frame, rows in boxes.groupby("frame")}
    for frame, rows in tracks.select(["frame_id"]).to_pandas().groupby("frame_id").indices.items():
        if frame in by_frame:
            there = by_frame[frame]
            iou = box_iou(seen[rows][:, None], there[["x", "y", "w", "h"]].to_numpy())
            best = iou.argmax(axis=1)
            whole[rows] = are_unoccluded(there, size_hw)[best] & (iou.max(axis=1) >= _MATCH_IOU)
    return whole


def heuristics(tracks: pa.Table, camera: Camera, plane: GroundPlane) -> dict[float, np.ndarray]:
    """By delta, (N,) bool: no nearer box of the frame, however unconfident, overlaps by more."""
    seen = from_tracks(tracks, camera, plane)
    return {delta: ~occluded_by_boxes(seen, delta) for delta in DELTAS}


def chance_of(classifier: FramePredictor, tracks: pa.Table, camera_dir: Path) -> np.ndarray:
    """(N,) the classifier's chance of a whole object, for the rows of a TRACKS table; 0 where the frame is lost."""
    frames = pq.read_table(camera_dir / "frames" / "index.parquet")
    found = chances(classifier, tracks, frames, camera_dir).to_pandas().set_index("detection_id")["chance"]
    return found.reindex(tracks["detection_id"].to_numpy(), fill_value=0.0).to_numpy()


def compare(
    camera: str, said: dict[str, np.ndarray], chance: np.ndarray, whole: np.ndarray
) -> tuple[list[dict], list[Bar]]:
    """A row for each delta and for each threshold, and the bars: what the classifier gains in precision on each delta
    where it finds no fewer whole objects, and its precision at the paper's recall.

    said: by the delta's name, (N,) bool, what it takes for whole; chance (N,): the classifier's; whole (N,) bool.
    """
    bars = []
    for name, kept in said.items():
        precision, recall = precision_recall(kept, whole)
        gain = precision_at(recall, chance, whole) - precision
        bars.append(Bar(f"{camera} {name}: precision gained at its recall", gain, at_least=_ANY_GAIN))
    at_papers = precision_at(PAPER_RECALL, chance, whole)
    bars.append(Bar(f"{camera} precision at a recall of {PAPER_RECALL}", at_papers, at_least=PAPER_PRECISION))
    rows = []
    for name, kept in (said | {f"classifier {t:g}": chance >= t for t in THRESHOLDS}).items():
        precision, recall = precision_recall(kept, whole)
        row = {"camera": camera, "method": name, "detections": len(whole), "whole": float(whole.mean())}
        rows.append(row | {"recall": recall, "precision": precision})
    return rows, bars


def measure(
    site: Site, data: Path, tracks: pa.Table, whole: np.ndarray, chance: np.ndarray
) -> tuple[list[dict], list[Bar]]:
    """Rows and bars over the detections that mining considers; whole and chance (N,) for the rows of a TRACKS table."""
    confident = tracks["score"].to_numpy() >= MiningSettings().min_score
    said = {f"delta {d:g}": kept[confident] for d, kept in heuristics(tracks, *site.calibrated(data)).items()}
    return compare(site.camera, said, chance[confident], whole[confident])


def gated(camera_dir: Path, tracks: pa.Table, whole: np.ndarray, chance: np.ndarray) -> str:
    """As text: of what mining accepts, how much is whole, and how much of it the classifier would let through."""
    accepted = pq.read_table(camera_dir / "mining" / "accepted.parquet")["detection_id"].to_numpy()
    mined = np.isin(tracks["detection_id"].to_numpy(), accepted)
    parts = [f"{mined.sum()} cutouts, precision {whole[mined].mean():.3f}"]
    for threshold in GATES:
        precision, recall = precision_recall(chance[mined] >= threshold, whole[mined])
        parts.append(f"at {threshold:g} precision {precision:.3f} with {recall:.3f} of the whole ones")
    return "; ".join(parts)


def on_simulated(site: Site, data: Path, classifier: FramePredictor) -> tuple[list[dict], list[Bar], str]:
    """One simulated camera's rows, bars, and what the gate would do to its cutouts."""
    folder = site.demand("MineUnoccluded", data)
    tracks = pq.read_table(folder / "mining" / "tracks.parquet")
    whole, chance = simulated_whole(folder, tracks), chance_of(classifier, tracks, folder)
    return *measure(site, data, tracks, whole, chance), gated(folder, tracks, whole, chance)


def on_pets(site: Site, data: Path, classifier: FramePredictor) -> list[dict]:
    """The rows of the annotated frames of PETS, seen by one of its detectors."""
    folder = site.demand("TrackObjects", data)
    tracks = pq.read_table(folder / "tracks.parquet")
    tracks = tracks.filter(pc.less(tracks["frame_id"], REAL_FRAMES))
    boxes = annotated_boxes(footage(site.camera).with_name("PETS2009-S2L1_frames0000-0399.xml"))
    whole = annotated_whole(boxes, tracks, frame_size_hw(folder))
    return measure(site, data, tracks, whole, chance_of(classifier, tracks, folder))[0]


def report(quick: bool, data: Path, sites: Sequence[Site], weights: Path | None) -> Report:
    """Every camera's rows; the bars bind the simulated ones."""
    try:
        classifier = load_classifier(weights)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    rows: list[dict] = []
    bars: list[Bar] = []
    notes: dict[str, str] = {}
    for site in sites:
        if site.camera not in REAL_CAMERAS:
            mine, its_bars, notes[f"{site.camera} as a gate"] = on_simulated(site, data, classifier)
            rows, bars = rows + mine, bars + its_bars
        elif lacking := missing(site.camera):
            notes[f"{site.camera} skipped"] = f"no {lacking} on this machine"
        else:
            rows += on_pets(site, data, classifier)
    return Report(rows, bars, notes)


if __name__ == "__main__":
    main(
        "occlusion_classifier", __doc__, report, cameras=(*CHECKED_CAMERAS, *REAL_CAMERAS),
        weights="network to measure, else the one that ships",
    )  # fmt: skip
