"""Rendered streets with COCO labels and as clip-art shards: red cars, blue people, known to the pixel."""

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from pipeline.core import masks
from pipeline.core.storage import write_table
from pipeline.core.tables import IMAGES, OBJECTS

SIZE_HW = (96, 128)
RED, BLUE = (40, 40, 220), (220, 90, 30)


def street(seed: int) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """A picture (96, 128, 3) and its objects, far ones first: category and whole mask (96, 128) bool."""
    rng = np.random.default_rng(seed)
    image = np.full((*SIZE_HW, 3), 120, np.uint8)
    image += rng.integers(0, 12, image.shape, np.uint8)
    objects = []
    for category, (w, h), colour in [("vehicle", (44, 24), RED), ("person", (14, 34), BLUE)]:
        x, y = rng.integers(2, SIZE_HW[1] - w - 2), rng.integers(2, SIZE_HW[0] - h - 2)
        mask = np.zeros(SIZE_HW, bool)
        mask[y : y + h, x : x + w] = True
        image[mask] = colour
        objects.append((category, mask))
    return image, objects


def visible(objects: list[tuple[str, np.ndarray]]) -> list[np.ndarray]:
    """What nearer objects leave of each."""
    return [mask & ~np.any([m for _, m in objects[k + 1 :]] or [np.zeros(SIZE_HW, bool)], axis=0)
            for k, (_, mask) in enumerate(objects)]  # fmt: skip


def write_coco(folder: Path, count: int) -> Path:
    """`count` streets as PNG with a COCO dataset of their visible masks; the dataset's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        image, shown = street(number)
        cv2.imwrite(str(folder / f"{number:03d}.png"), image)
        for (category, _), seen in zip(shown, visible(shown), strict=True):
            rle = {"size": list(SIZE_HW), "counts": masks.encode(seen, (0, 0), SIZE_HW)}
            rows.append({"image_id": number, "category_id": 1 if category == "person" else 2, "segmentation": rle})
    path = folder / "labels.json"
    names = [{"id": n, "file_name": f"{n:03d}.png"} for n in range(count)]
    categories = [{"id": 1, "name": "pedestrian"}, {"id": 2, "name": "car"}]
    path.write_text(json.dumps({"images": names, "annotations": rows, "categories": categories}))
    return path


def write_shards(folder: Path, count: int) -> Path:
    """`count` streets as clip-art shards of two parts, every tenth to validate; the folder."""
    images, objects = [], []
    for number in range(count):
        image, shown = street(number)
        scene = f"gate/walt3d/{number}"
        jpeg = cv2.imencode(".png", image)[1].tobytes()
        split = "val" if number % 10 == 9 else "train"
        images.append({"scene_id": scene, "split": split, "image": {"bytes": jpeg, "path": None}})
        for (category, whole), seen in zip(shown, visible(shown), strict=True):
            ys, xs = np.nonzero(whole)
            box = [float(xs.min()), float(ys.min()), float(np.ptp(xs) + 1), float(np.ptp(ys) + 1)]
            objects.append({
                "scene_id": scene, "category": category, "bbox_amodal_xywh": box,
                "mask_amodal_rle": masks.encode(whole, (0, 0), SIZE_HW),
                "mask_visible_rle": masks.encode(seen, (0, 0), SIZE_HW),
                "visible_fraction": float(seen.sum() / whole.sum()),
            })  # fmt: skip
    for part, rows in enumerate(np.array_split(np.arange(count), 2)):
        mine = {images[k]["scene_id"] for k in rows}
        for kind, table, schema in [("images", images, IMAGES), ("objects", objects, OBJECTS)]:
            kept = [row for row in table if row["scene_id"] in mine]
            write_table(folder / kind / f"part-{part}.parquet", pa.Table.from_pylist(kept, schema=_some(schema, kept)))
    return folder


def _some(schema: pa.Schema, rows: list[dict]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in rows[0]])
