"""Find what lies behind each object of a composed scene, by painting the scene again from its cutouts.

Pictures are (H, W, 3) BGR uint8; objects are painted far to near, shadow first, as composition paints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Rect = tuple[int, int, int, int]
_SPRITE_COLUMNS = ["cutout_id", "sprite", "sprite_xy", "shadow", "shadow_xy"]


@dataclass(frozen=True)
class Sprite:
    """Pixels of a cutout: bgra (h, w, 4) at xy; light (h, w) uint8 left in its shadow at light_xy, or None."""

    bgra: np.ndarray
    xy: tuple[int, int]
    light: np.ndarray | None
    light_xy: tuple[int, int]

    @staticmethod
    def from_row(row: Mapping) -> Sprite:
        """The sprite of a row of CUTOUTS."""
        light = None if row["shadow"] is None else _decode(row["shadow"], cv2.IMREAD_GRAYSCALE)
        x, y = row["sprite_xy"]
        light_x, light_y = row["shadow_xy"] or (0, 0)
        return Sprite(_decode(row["sprite"], cv2.IMREAD_UNCHANGED), (x, y), light, (light_x, light_y))

    def rect(self, size_hw: tuple[int, int]) -> Rect:
        """x0, y0, x1, y1 of everything this sprite changes, inside the frame."""
        rects = [_rect(self.bgra, self.xy, size_hw)]
        if self.light is not None:
            rects.append(_rect(self.light, self.light_xy, size_hw))
        corners = np.array(rects)
        x0, y0 = corners[:, :2].min(axis=0)
        x1, y1 = corners[:, 2:].max(axis=0)
        return int(x0), int(y0), int(x1), int(y1)

    def paint(self, picture: np.ndarray) -> None:
        """Darken the picture by the shadow, then blend the sprite over it, in place."""
        if self.light is not None:
            under, light = _overlap(picture, self.light, self.light_xy)
            under[:] = np.rint(under * (light[..., None] / 255.0))
        under, bgra = _overlap(picture, self.bgra, self.xy)
        alpha = bgra[..., 3:] / 255.0
        under[:] = np.rint(bgra[..., :3] * alpha + under * (1 - alpha))


@dataclass(frozen=True)
class Layers:
    """What scenes were painted from: background pictures by bucket, rows of CUTOUTS by cutout_id."""

    backgrounds: Mapping[str, np.ndarray]
    cutouts: Mapping[int, Mapping]

    def behind(self, bucket: str, cutout_ids: Iterable[int], scale: float) -> list[tuple[Rect, np.ndarray]]:
        """For each cutout, nearest first: a rectangle of the scaled picture, and its pixels without it and all nearer.

        Laying the first k of them over the scene, in this order, removes its k nearest objects.
        """
        picture = self.backgrounds[bucket].copy()
        patches = []
        for cutout_id in reversed(list(cutout_ids)):
            sprite = Sprite.from_row(self.cutouts[cutout_id])
            patches.append(_scaled_patch(picture, sprite.rect(picture.shape[:2]), scale))
            sprite.paint(picture)
        return patches[::-1]


def load_layers(camera_dir: Path, buckets: Iterable[str], cutout_ids: Iterable[int]) -> Layers:
    """The backgrounds and cutouts of a camera's folder that the given scenes need.

    Raises FileNotFoundError or ValueError that names what is missing.
    """
    wanted = sorted(set(cutout_ids))
    parts = sorted((camera_dir / "cutouts").glob("part-*.parquet"))
    if not parts:
        raise FileNotFoundError(f"{camera_dir / 'cutouts'}: no part-*.parquet there; run MineUnoccluded")
    cutouts = {row["cutout_id"]: row for row in selected_rows(parts, "cutout_id", wanted, _SPRITE_COLUMNS)}
    missing = [i for i in wanted if i not in cutouts]
    if missing:
        raise ValueError(f"{camera_dir / 'cutouts'}: {len(missing)} cutouts missing, first {missing[0]}; compose again")
    return Layers({b: _background(camera_dir / "background" / f"{b}.png") for b in set(buckets)}, cutouts)


def selected_rows(
    parts: Iterable[Path], key: str, wanted: Iterable[Any], columns: list[str] | None = None
) -> Iterator[dict]:
    """The rows of Parquet files whose key is wanted, read a few at a time: a file may be larger than the memory."""
    keys = list(wanted)
    for part in parts:
        with pq.ParquetFile(part, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(batch_size=64, columns=columns):
                found = pc.is_in(batch[key], pa.array(keys, batch[key].type))
                yield from batch.filter(found).to_pylist()


def _background(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{path}: expected the bucket's background picture; run MedianBackground")
    return picture


def _decode(data: bytes, flags: int) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise ValueError("cutout: its sprite or shadow is not a readable PNG; run MineUnoccluded again")
    return picture


def _rect(layer: np.ndarray, xy: tuple[int, int], size_hw: tuple[int, int]) -> Rect:
    (x, y), (h, w), (height, width) = xy, layer.shape[:2], size_hw
    return max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)


def _overlap(picture: np.ndarray, layer: np.ndarray, xy: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    x0, y0, x1, y1 = _rect(layer, xy, (picture.shape[0], picture.shape[1]))
    return picture[y0:y1, x0:x1], layer[y0 - xy[1] : y1 - xy[1], x0 - xy[0] : x1 - xy[0]]


def _scaled_patch(picture: np.ndarray, rect: Rect, scale: float) -> tuple[Rect, np.ndarray]:
    """The rectangle, in whole pixels of the scaled picture, and its pixels."""
    # The whole picture is scaled, not the crop, so that the patch's pixels lie on the same grid as the scene's.
    if scale < 1:
        picture = scaled(picture, scale)
    x0, y0 = (int(np.floor(v * scale)) for v in rect[:2])
    x1, y1 = (int(np.ceil(v * scale)) for v in rect[2:])
    x1, y1 = min(x1, picture.shape[1]), min(y1, picture.shape[0])
    return (x0, y0, x1, y1), picture[y0:y1, x0:x1].copy()


def scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    """The picture, smaller by a factor <= 1; sizes are rounded."""
    height, width = picture.shape[:2]
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
