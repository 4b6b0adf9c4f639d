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
from pipeline.core.illumination import PlacedMask, Relit, padded, relit_frames
from pipeline.core.storage import write_table
from pipeline.core.tables import TRACKS
from pipeline.detection.blobs import components

_LEAST_AGREEMENT = 0.5  # overlap of rough and exact mask below which something else was found
_LEAST_PART = 0.1  # of the largest part: smaller ones apart from it are specks of shadow


def exact_masks_shard(job: StreetJob) -> int:
    """Write the TRACKS rows of a block of frames with exact masks and the boxes around them; the number of rows.

    Rows of frames that cannot be read are not there: nothing can be cropped from them.
    """
    parts = [TRACKS.empty_table()]
    for relit, rows in relit_frames(job.index, job.root, job.backgrounds, job.tracks, job.frame_ids):
        size_hw = relit.frame.shape[:2]
        found = [exact(relit, placed) if placed.crop.any() else placed for placed in relit.placed]
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


def exact(relit: Relit, mask: PlacedMask) -> PlacedMask:
    """The mask as the matting network sees it; the detector's own where the two hardly agree.

    What other detections own stays theirs.
    """
    rough, box = padded(mask, (MARGIN_PX, MARGIN_PX), relit.frame.shape[:2])
    x, y, w, h = box
    owner = relit.owner[y : y + h, x : x + w]
    found = (refined(*relit.crop(box), rough) > 0.5) & ((owner == 0) | (owner == mask.number))
    found = _main_parts(found)
    if (found & rough).sum() < _LEAST_AGREEMENT * (found | rough).sum():
        return mask
    left, top, width, height = cv2.boundingRect(found.astype(np.uint8))
    return PlacedMask(found[top : top + height, left : left + width], (x + left, y + top), mask.number)


def _main_parts(mask: np.ndarray) -> np.ndarray:
    """The mask (h, w) without what is apart from its largest part and much smaller."""
    parts, kept = components(mask, 1), np.zeros_like(mask)
    least = _LEAST_PART * max((np.count_nonzero(part) for part, _ in parts), default=0)
    for part, (x, y, w, h) in parts:
        if np.count_nonzero(part) >= least:
            kept[y : y + h, x : x + w] |= part
    return kept
