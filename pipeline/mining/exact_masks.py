"""Make every detection's mask exact, before anything is decided by it.

A detector's mask is a little large here, holds a shadow there: what lies in front, whether an outline is whole, and
who is of one size with himself are all told better by the object's own pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa

from models.matting.predict import MARGIN_PX, refined
from pipeline.core import masks
from pipeline.core.frames import StreetJob
from pipeline.core.illumination import PlacedMask, Relit, largest, log_ratio, mean, padded, relit_frames
from pipeline.core.storage import write_table
from pipeline.core.tables import TRACKS
from pipeline.detection.blobs import components

_LEAST_AGREEMENT = 0.5  # overlap of rough and exact mask below which something else was found
_LEAST_PART = 0.1  # of the largest part: smaller ones apart from it are specks of shadow
# Where an object touches the ground the strip of shadow under it is taken for it too easily: in the lowest part of a
# mask, what is the street evenly darker, ln ratios, has to be surer of being the object. Shoes are dark, too.
_LOWEST = 0.25
_SURE, _SURE_OF_SHADE = 0.5, {"vehicle": 0.7, "person": 0.6}
_DARKER, _BLACK, _TINTED = 0.08, 1.6, 0.1


def exact_masks_shard(job: StreetJob) -> int:
    """Write the TRACKS rows of a block of frames with exact masks and the boxes around them; the number of rows.

    Rows of frames that cannot be read are not there: nothing can be cropped from them.
    """
    parts = [TRACKS.empty_table()]
    for relit, rows in relit_frames(job.index, job.root, job.backgrounds, job.tracks, job.frame_ids):
        size_hw = relit.frame.shape[:2]
        found = [
            exact(relit, placed, category) if placed.crop.any() else placed
            for placed, category in zip(relit.placed, rows["category"].to_pylist(), strict=True)
        ]
        new = {
            "mask_rle": [masks.encode(mask.crop, mask.xy, size_hw) for mask in found],
            "bbox_xywh": [[*mask.xy, *mask.crop.shape[::-1]] for mask in found],
        }
        for name, values in new.items():
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))
        parts.append(rows)
    table = pa.concat_tables(parts)
    write_table(job.out, table)
    return len(table)


def exact(relit: Relit, mask: PlacedMask, category: str) -> PlacedMask:
    """The mask of an object of a category as the matting network sees it, without the shade at its feet or under it;
    the detector's own where the two hardly agree.

    What other detections own stays theirs.
    """
    rough, box = padded(mask, (MARGIN_PX, MARGIN_PX), relit.frame.shape[:2])
    x, y, w, h = box
    owner = relit.owner[y : y + h, x : x + w]
    frame, background = relit.crop(box)
    alpha = refined(frame, background, rough)
    found = (alpha > _SURE) & ((owner == 0) | (owner == mask.number))
    found &= (alpha > _SURE_OF_SHADE[category]) | ~_shade_below(found, log_ratio(frame, background))
    found = _main_parts(found)
    if (found & rough).sum() < _LEAST_AGREEMENT * (found | rough).sum():
        return mask
    left, top, width, height = cv2.boundingRect(found.astype(np.uint8))
    return PlacedMask(found[top : top + height, left : left + width], (x + left, y + top), mask.number)


def _shade_below(mask: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """(h, w) bool: what may be shade in the lowest part of a mask (h, w), given the frame's ln ratios (h, w, 3) to the
    background under its light."""
    depth = mean(ratio)
    shade = (depth < -_DARKER) & (depth > -_BLACK) & (largest(np.abs(ratio - depth[..., None])) < _TINTED)
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows):
        shade[: rows[-1] - int(_LOWEST * (rows[-1] - rows[0]))] = False
    return shade


def _main_parts(mask: np.ndarray) -> np.ndarray:
    """The mask (h, w) without what is apart from its largest part and much smaller."""
    parts, kept = components(mask, 1), np.zeros_like(mask)
    least = _LEAST_PART * max((np.count_nonzero(part) for part, _ in parts), default=0)
    for part, (x, y, w, h) in parts:
        if np.count_nonzero(part) >= least:
            kept[y : y + h, x : x + w] |= part
    return kept
