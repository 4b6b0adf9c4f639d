"""Find what lies behind each object of a composed scene, by painting the scene again from its cutouts.

Pictures are (H, W, 3) BGR uint8; objects are painted far to near, shadow first, as composition paints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.composition.paint import PaintedCutout, decode_sprite, paint
from pipeline.core.frames import own_picture
from pipeline.core.storage import read_batches
from pipeline.gallery.pictures import shrunk

Rect = tuple[int, int, int, int]
_SPRITE_COLUMNS = ["cutout_id", "mask_rle", "sprite", "sprite_xy", "shadow", "shadow_xy", "halo"]


@dataclass(frozen=True)
class Layers:
    """What scenes were painted from: background pictures by bucket, rows of CUTOUTS by cutout_id."""

    backgrounds: Mapping[str, np.ndarray]
    cutouts: Mapping[int, Mapping]

    def behind(self, bucket: str, cutout_ids: Iterable[int], scale: float) -> list[tuple[Rect, np.ndarray]]:
        """For each cutout, nearest first: a rectangle of the scaled picture, and its pixels without it and all nearer.

        Laying the first k of them over the scene, in this order, removes its k nearest objects.
        """
        background = self.backgrounds[bucket]
        size_hw = (background.shape[0], background.shape[1])
        patches, farther = [], list[PaintedCutout]()
        for cutout_id in reversed(list(cutout_ids)):
            sprite = decode_sprite(self.cutouts[cutout_id], size_hw)
            # Anew, for a shadow lies below whoever stands on it, nearer or farther.
            patches.append(_scaled_patch(paint(background, farther)[0], sprite.extent, scale))
            farther.append(sprite)
        return patches[::-1]


def load_layers(camera_dir: Path, buckets: Iterable[str], cutout_ids: Iterable[int]) -> Layers:
    """The backgrounds and cutouts of a camera's folder that the given scenes need.

    Raises FileNotFoundError or ValueError that names what is missing.
    """
    wanted = sorted(set(cutout_ids))
    parts = sorted((camera_dir / "cutouts").glob("part-*.parquet"))
    if not parts:
        raise FileNotFoundError(
            f"{camera_dir / 'cutouts'}: no part-*.parquet there; run `luigi --module tasks MineUnoccluded`"
        )
    cutouts = {row["cutout_id"]: row for row in selected_rows(parts, "cutout_id", wanted, _SPRITE_COLUMNS)}
    missing = [i for i in wanted if i not in cutouts]
    if missing:
        raise ValueError(f"{camera_dir / 'cutouts'}: {len(missing)} cutouts missing, first {missing[0]}; compose again")
    return Layers({bucket: read_background(camera_dir, bucket) for bucket in set(buckets)}, cutouts)


def selected_rows(
    parts: Iterable[Path], key: str, wanted: Iterable[Any], columns: list[str] | None = None
) -> Iterator[dict]:
    """The rows of Parquet files whose key is wanted, read a few at a time: a file may be larger than the memory."""
    keys = list(wanted)
    for part in parts:
        for batch in read_batches(part, 64, columns):
            found = pc.is_in(batch[key], pa.array(keys, batch[key].type))
            yield from batch.filter(found).to_pylist()


def read_background(camera_dir: Path, bucket: str) -> np.ndarray:
    """A time bucket's background. Raises ValueError where it lacks or is broken."""
    return own_picture(camera_dir / "background" / f"{bucket}.png")


def _scaled_patch(picture: np.ndarray, rect: Rect, scale: float) -> tuple[Rect, np.ndarray]:
    """The rectangle, in whole pixels of the scaled picture, and its pixels."""
    # The whole picture is scaled, not the crop, so that the patch's pixels lie on the same grid as the scene's.
    if scale < 1:
        picture = shrunk(picture, scale)
    x0, y0 = (int(np.floor(v * scale)) for v in rect[:2])
    x1, y1 = (int(np.ceil(v * scale)) for v in rect[2:])
    x1, y1 = min(x1, picture.shape[1]), min(y1, picture.shape[0])
    return (x0, y0, x1, y1), picture[y0:y1, x0:x1].copy()
