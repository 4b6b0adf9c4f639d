"""People who overlap on real footage (PETS 2009 S2.L1, frames 0 to 399), where it is at hand: to be judged by eye.

    python -m benchmarks.opec_net_real [--check] [--quick] [--data DIR] [--weights FILE]

Couples of annotated boxes, thirty of them spread over all there are: benchmarks/out/opec_net_real.png has of each what
the heatmaps found (left) and what the graphs made of it (right), numbered as the rows. A row says how far the graphs
moved each one's joints, in fractions of the box's height, and how many they take for hidden. Nobody labelled joints
there: which of the two is better only eyes can say. --quick takes three.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.common.job import REAL
from benchmarks.common.report import OUT, Report, main
from benchmarks.common.study import rendered
from benchmarks.people.opec_net_study import QUICK_COUPLES, QUICK_STEPS, Study
from benchmarks.pipeline.real_cameras import annotated_boxes
from models.frames import Frame
from models.opec_net import SPEC
from models.opec_net.couples import couples_of, union_boxes
from models.opec_net.evaluate import load_network
from models.opec_net.predict import PeoplePredictor
from pipeline.core.boxes import box_iou
from pipeline.core.instances import Instances
from pipeline.core.storage import write_bytes
from tasks.predict.inputs import Read, frames_of
from tasks.predict.overlay import visualise

FOLDER = REAL / "pets_s2l1"
_VIDEO, _BOXES, _FRAMES = FOLDER / "vtest.avi", FOLDER / "PETS2009-S2L1_frames0000-0399.xml", 400
SHEET = OUT / "opec_net_real.png"
_COUPLES, _QUICK_COUPLES = 30, 3
_TILE_WH, _TILES_A_ROW, _ROOM = (180, 260), 5, 1.15  # a tile is one of before and after
_ZOOM = 4


def report(quick: bool, data: Path, weights: Path | None) -> Report:
    """A row a couple, and the sheet."""
    torch.set_num_threads(1)
    lacking = [path.name for path in (_VIDEO, _BOXES) if not path.is_file()]
    if lacking:
        return Report([], [], {"skipped": f"no {', '.join(lacking)} in {FOLDER.name} on this machine"})
    if weights is None and quick and not (SPEC.weights and SPEC.weights.is_file()):
        weights = Study(data, rendered(SPEC, data, QUICK_COUPLES), 0, QUICK_STEPS, quick=True).weights("tiny")
    predictor = PeoplePredictor(SPEC, load_network(weights or SPEC.shipped))
    rows: list[dict[str, Any]] = []
    tiles: list[np.ndarray] = []
    for frame, pair in _chosen(_QUICK_COUPLES if quick else _COUPLES):
        found = predictor.of_frames([frame])[0]
        rows.append({"couple": len(rows) + 1, "picture": frame.name, **moved(found, pair)})
        tiles.append(tile(frame.image, found, pair, len(rows)))
    write_bytes(SHEET, cv2.imencode(".png", sheet(tiles))[1].tobytes())
    return Report(rows, [], {"sheet": SHEET.name})


def _chosen(most: int) -> Iterator[tuple[Frame, np.ndarray]]:
    """Frames with everyone's annotated boxes, and the rows (2,) of a couple of them."""
    table = annotated_boxes(_BOXES)
    frames, every_box = table["frame"].to_numpy(int), table[["x", "y", "w", "h"]].to_numpy(float)
    boxes = {number: every_box[frames == number] for number in np.unique(frames).tolist()}
    every = [(number, pair) for number, among in boxes.items() for pair in couples_of(among)]
    chosen: dict[int, list[np.ndarray]] = {}
    for row in np.unique(np.linspace(0, len(every) - 1, most).round().astype(int)).tolist():
        number, pair = every[row]
        chosen.setdefault(number, []).append(pair)
    for number, read in enumerate(islice(frames_of([_VIDEO], 1), _FRAMES)):
        if isinstance(read, Read) and number in chosen:
            image = read.frame.image
            objects = Instances((image.shape[0], image.shape[1]), {"bbox_xywh": boxes[number]})
            for pair in chosen[number]:
                yield Frame(image, objects, f"frame {number}"), pair


def moved(found: Instances, pair: np.ndarray) -> dict[str, Any]:
    """How much the boxes overlap, how far joints were moved on average and at most, and how many are hidden."""
    boxes = np.asarray(found["bbox_xywh"], float)[pair]
    off = np.linalg.norm(found["keypoints_2d"] - found["keypoints_initial"], axis=-1)[pair] / boxes[:, 3:]
    hidden = [sum(state != "visible" for state in found["keypoint_state"][row]) for row in pair]
    return {
        "box IoU": float(box_iou(boxes[0], boxes[1])), "moved, of a height": float(off.mean()),
        "moved at most": float(off.max()), "hidden joints": ", ".join(map(str, hidden)),
    }  # fmt: skip


def tile(image: np.ndarray, found: Instances, pair: np.ndarray, number: int) -> np.ndarray:
    """The two people before and after, (H, 2 W, 3), enlarged, behind their number."""
    both = found.rows(pair)
    boxes = np.asarray(both["bbox_xywh"], float)
    x, y, w, h = union_boxes(boxes[:1], boxes[1:])[0]
    scale = min(np.array(_TILE_WH) / (_ROOM * np.array([w, h])))
    # Visualised on a larger picture, for lines and rings to be thin; pixel i spans [i, i + 1) there as well.
    shift = np.array(_TILE_WH) / 2 - scale * np.array([x + w / 2, y + h / 2])
    move = np.column_stack([scale / _ZOOM * np.eye(2), shift + 0.5 * scale / _ZOOM - 0.5])
    shown = []
    for name in ("keypoints_initial", "keypoints_2d"):
        picture = visualise(image, both.with_columns({"keypoints_2d": both[name]}), SPEC.skeleton, _ZOOM)
        shown.append(cv2.warpAffine(picture, move, _TILE_WH, flags=cv2.INTER_AREA))
    beside = np.hstack(shown)
    cv2.putText(beside, str(number), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return beside


def sheet(tiles: list[np.ndarray]) -> np.ndarray:
    """Tiles row by row, a bright line between couples."""
    framed = [cv2.copyMakeBorder(one, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(200, 200, 200)) for one in tiles]
    framed += [np.zeros_like(framed[0])] * (-len(framed) % _TILES_A_ROW)
    return np.vstack([np.hstack(framed[i : i + _TILES_A_ROW]) for i in range(0, len(framed), _TILES_A_ROW)])


if __name__ == "__main__":
    main("opec_net_real", __doc__, report, weights="weights to try, else those that ship")
