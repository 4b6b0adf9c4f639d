"""Streets with cars that are projected shapes of the project's bases and people of flat colour, behind one another: as
clip-art shards with every label known to the pixel."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from models.shape_basis import load_bases
from pipeline.core import masks
from pipeline.core.skeletons import COCO_17
from pipeline.core.storage import write_table
from pipeline.core.tables import CATEGORY_IDS, IMAGES, OBJECTS

SIZE_HW = (128, 192)
CAMERA = Camera(np.array([[190.0, 0, 95.5], [0, 190.0, 63.5], [0, 0, 1]]), SIZE_HW)
PLANE = GroundPlane.from_tilt(18, 0, 5)
# Where COCO's points lie in a person's box: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
PERSON_XY = np.array(
    [[0.5, 0.08], [0.55, 0.06], [0.45, 0.06], [0.6, 0.08], [0.4, 0.08], [0.8, 0.2], [0.2, 0.2], [0.9, 0.35],
     [0.1, 0.35], [0.9, 0.5], [0.1, 0.5], [0.7, 0.52], [0.3, 0.52], [0.7, 0.75], [0.3, 0.75], [0.7, 0.96], [0.3, 0.96]]
)  # fmt: skip


def composed(seed, cars=2, people=1):
    """A picture (128, 192, 3) and rows of OBJECTS, nearest first."""
    rng = np.random.default_rng([seed, 0xC0])
    image = np.full((*SIZE_HW, 3), 120, np.uint8) + rng.integers(0, 12, (*SIZE_HW, 3), np.uint8)
    rows = [_car(rng) for _ in range(cars)] + [_person(rng) for _ in range(people)]
    rows.sort(key=lambda row: row["z_m"])
    labels = np.full(SIZE_HW, -1)
    for k, row in reversed(list(enumerate(rows))):
        labels[row["whole"]], image[row["whole"]] = k, row["colour"]
        _drawn(image, row)
    return image, [_labelled(row, k, labels) for k, row in enumerate(rows)]


def _drawn(image, row):
    """What tells a car's front from its back, and a person's head from the feet."""
    for k, xy in enumerate(row["xy"]):
        level = int(40 + 200 * k / len(row["xy"]))
        cv2.circle(image, tuple(int(v) for v in np.round(xy)), 1, (level, 255 - level, 255), -1)


def _car(rng):
    basis, shape = load_bases()["car"], rng.normal(0, 0.7, 8)
    R, t = PLANE.pose(np.array([rng.uniform(-3.5, 3.5), rng.uniform(14, 24)]), rng.uniform(0, 2 * np.pi))
    outline = cv2.convexHull(CAMERA.project(basis.mesh(shape) @ R.T + t).astype(np.float32))
    whole = np.zeros(SIZE_HW, np.uint8)
    cv2.fillConvexPoly(whole, np.round(outline).astype(np.int32), 1)
    points = basis.keypoints(shape) @ R.T + t
    return {"category": "vehicle", "whole": whole > 0, "xy": CAMERA.project(points), "points": points,
            "z_m": float(t[2]), "R": R, "t": t, "shape": shape, "shape_basis": "car",
            "colour": (40, 40, int(rng.integers(150, 250))), "subcategory": "car"}  # fmt: skip


def _person(rng):
    _, t = PLANE.pose(np.array([rng.uniform(-3, 3), rng.uniform(11, 20)]), 0.0)
    foot, high = CAMERA.project(t), 1.75 * CAMERA.K[0, 0] / t[2]
    w, h = max(round(0.4 * high), 3), round(high)
    x, y = round(foot[0] - w / 2), round(foot[1] - h)
    whole = np.zeros(SIZE_HW, bool)
    whole[max(y, 0) : y + h, max(x, 0) : x + w] = True
    xy = PERSON_XY * (w, h) + (x - 0.5, y - 0.5)
    return {"category": "person", "whole": whole, "xy": xy, "points": CAMERA.rays(xy) * t[2], "z_m": float(t[2]),
            "R": None, "t": t, "shape": None, "shape_basis": None, "colour": (int(rng.integers(180, 250)), 60, 30),
            "subcategory": None}  # fmt: skip


def _labelled(row, number, labels):
    whole, seen = row["whole"], labels == number
    inside = np.clip(np.round(row["xy"]).astype(int), 0, np.array(SIZE_HW[::-1]) - 1)
    owner = labels[inside[:, 1], inside[:, 0]]
    states = ["visible" if k in (number, -1) else "occluded" for k in owner]
    return {
        "object_id": number, "track_id": 7 * number, "category": row["category"], "subcategory": row["subcategory"],
        "category_id": CATEGORY_IDS[row["category"]], "depth_order": number, "z_m": row["z_m"],
        "bbox_amodal_xywh": box_of(whole), "bbox_visible_xywh": box_of(seen) if seen.any() else None,
        "mask_amodal_rle": masks.encode(whole, (0, 0), SIZE_HW),
        "mask_visible_rle": masks.encode(seen, (0, 0), SIZE_HW),
        "visible_fraction": float(seen.sum() / whole.sum()), "keypoints_2d": row["xy"].ravel().tolist(),
        "keypoint_state": states, "keypoints_3d": row["points"].ravel().tolist(),
        "R": None if row["R"] is None else row["R"].ravel().tolist(), "t": row["t"].tolist(),
        "shape": None if row["shape"] is None else row["shape"].tolist(), "shape_basis": row["shape_basis"],
    }  # fmt: skip


def box_of(mask):
    """xywh of a mask (H, W) bool."""
    ys, xs = np.nonzero(mask)
    return [float(xs.min()), float(ys.min()), float(np.ptp(xs) + 1), float(np.ptp(ys) + 1)]


def write_composed(
    folder: Path, count: int, parts: int = 2, val_every: int = 10, first: int = 0, people: int = 1
) -> Path:
    """`count` streets as clip-art shards, every `val_every`-th to validate; the folder."""
    assert len(PERSON_XY) == len(COCO_17)
    for part, numbers in enumerate(np.array_split(np.arange(count), parts)):
        images, objects = [], []
        for number in numbers.tolist():
            image, rows = composed(first + number, people=people)
            split = "val" if number % val_every == val_every - 1 else "train"
            scene = f"{folder.parent.name}/walt3d/{number}"
            png = cv2.imencode(".png", image)[1].tobytes()
            images.append({
                "scene_id": scene, "camera_id": folder.parent.name, "split": split,
                "width": SIZE_HW[1], "height": SIZE_HW[0],
                "image": {"bytes": png, "path": None}, "K": CAMERA.K.ravel().tolist(), "distortion": [0.0] * 5,
                "ground_plane": [*PLANE.n.tolist(), PLANE.d], "ignore_rle": [],
            })  # fmt: skip
            objects += [{"scene_id": scene, **row} for row in rows]
        for kind, table, schema in [("images", images, IMAGES), ("objects", objects, OBJECTS)]:
            some = pa.schema([schema.field(name) for name in table[0]])
            write_table(folder / kind / f"part-{part}.parquet", pa.Table.from_pylist(table, schema=some))
    return folder
