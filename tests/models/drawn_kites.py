"""Pictures of kites, masts and hooks, drawn with OpenCV, whose points and links are known: shards as rendering writes.

A kite is a filled diamond with a bar across, a mast a thin stroke with a ball on its top; both on plain ground.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa

from models.frames import Frame
from models.linked_objects import ClassTable, LinkedObject, ObjectClass
from models.linked_objects.pictures import NOBODY, OCCLUDED, VISIBLE
from models.linked_objects.shards import object_columns, schema_of
from models.synthetic.photograph import encoded_jpeg
from pipeline.core.instances import Instances
from pipeline.core.storage import write_table

SIDE = 128
KITE = ObjectClass.of_names(
    "kite",
    ["head", "left tip", "right tip", "tail", "middle"],
    [("head", "left tip"), ("head", "right tip"), ("left tip", "tail"), ("right tip", "tail"), ("middle", "head")],
)
MAST = ObjectClass.of_names("mast", ["top", "foot", "flag"], [("top", "foot"), ("top", "flag")])
TABLE = ClassTable((KITE, MAST))
_KITE = np.array([[0, -1], [-0.6, -0.2], [0.6, -0.2], [0, 1], [0, -0.2]])
_MAST = np.array([[-0.3, -0.9], [-0.3, 0.9], [0.3, -0.6]])
_BGR = ((40, 60, 230), (220, 160, 30))


def draw(image: np.ndarray, class_id: int, middle: np.ndarray, size: float, turn: float = 0.0) -> LinkedObject:
    """Draw one into an RGB image, turned by an angle; all of it is seen so far."""
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = middle + size * (_KITE, _MAST)[class_id] @ rotation.T
    spots = [tuple(int(v) for v in np.round(p - 0.5)) for p in points]
    if class_id == 0:
        cv2.fillPoly(image, [np.array([spots[k] for k in (0, 1, 3, 2)])], _BGR[0], cv2.LINE_AA)
        cv2.line(image, spots[1], spots[2], (255, 255, 255), 2, cv2.LINE_AA)
        cv2.circle(image, spots[0], 3, (250, 220, 60), -1, cv2.LINE_AA)
    else:
        cv2.line(image, spots[0], spots[1], _BGR[1], 3, cv2.LINE_AA)
        cv2.line(image, spots[0], spots[2], (20, 200, 60), 5, cv2.LINE_AA)
    low, high = points.min(0), points.max(0)
    count = len(points)
    return LinkedObject(class_id, np.r_[low, high - low], points, np.full(count, VISIBLE), np.full(count, NOBODY), 0.0)


def picture(rng: np.random.Generator, *, overlap: bool = False) -> tuple[np.ndarray, list[LinkedObject]]:
    """An RGB picture with a kite and a mast apart, or two kites of which the second is before the first."""
    image = np.full((SIDE, SIDE, 3), rng.integers(90, 150, 3), np.uint8)
    size = rng.uniform(20, 26)
    if not overlap:
        first, second = rng.uniform((28, 40), (36, 88)), rng.uniform((88, 40), (98, 88))
        order = rng.permutation(2)
        turns = rng.uniform(-np.pi, np.pi, 2)
        places = zip(order, (first, second), turns, strict=True)
        return image, [draw(image, int(k), middle, size, turn) for k, middle, turn in places]
    back = draw(image, 0, rng.uniform((50, 50), (60, 70)), size)
    front = draw(image, 0, back.box_xywh[:2] + back.box_xywh[2:] / 2 + (size * 0.7, rng.uniform(-6, 6)), size)
    low, high = front.box_xywh[:2], front.box_xywh[:2] + front.box_xywh[2:]
    inside = ((back.xy > low) & (back.xy < high)).all(1)
    off = np.abs(back.xy - (low + high) / 2) / (front.box_xywh[2:] / 2)
    hidden = inside & (off.sum(1) < 1)
    back = replace(
        back, state=np.where(hidden, OCCLUDED, VISIBLE), occluder=np.where(hidden, 0, NOBODY), hidden_fraction=0.3
    )
    return image, [front, back]


def frame(seed: int, *, overlap: bool) -> Frame:
    """A picture with its true boxes and classes."""
    image, objects = picture(np.random.default_rng([77, seed]), overlap=overlap)
    columns = {
        "bbox_xywh": np.array([one.box_xywh for one in objects]),
        "class": [TABLE.names[one.class_id] for one in objects],
    }
    return Frame(np.ascontiguousarray(image[..., ::-1]), Instances(image.shape[:2], columns))


def bodies(samples) -> set[int]:
    """What a split of samples shows."""
    return {one.body for picture in samples.pictures for one in picture.objects}


def write_split(folder, split: str, count: int, seed: int, table: ClassTable = TABLE) -> None:
    """One shard of pictures, every third with two kites that overlap; a body is of one split."""
    rows = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        image, objects = picture(rng, overlap=number % 3 == 2)
        objects = [replace(one, body=seed * 100_000 + number * 10 + k) for k, one in enumerate(objects)]
        rows.append({
            "name": f"{split}-{number}", "width": SIDE, "height": SIDE, "image": encoded_jpeg(image[..., ::-1], 92),
            "alpha": b"", "ground": b"", "sun": [1.0] * 3, "sky": [1.0] * 3, **object_columns(objects),
        })  # fmt: skip
    schema = schema_of(table)
    write_table(folder / split / "part-00000.parquet", pa.Table.from_pylist(rows, schema=schema))


def write_splits(folder):
    """Shards of training, validation and both tests; the folder."""
    for seed, (split, count) in enumerate({"train": 24, "val": 12, "test": 12, "other": 9}.items(), start=1):
        write_split(folder, split, count, seed)
    return folder
