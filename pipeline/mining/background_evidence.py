"""What the empty street tells of each mask: which of its pixels show it, and whether the outline is the street's own.

Background-like pixels are holes that a detector bridged, most of them poles and branches; a grey car on grey asphalt
has some too, here and there: only where many objects have them, something stands. An outline that follows edges of the
background is hidden there by what stands in front, or is the ghost of something that left the background.
"""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa

from pipeline.core import masks
from pipeline.core.frames import StreetJob
from pipeline.core.illumination import PlacedMask, Relit, padded, relit_frames
from pipeline.core.storage import write_table
from pipeline.mining.observations import Observations

EVIDENCE = pa.schema([("detection_id", pa.int64()), ("bare_rle", pa.string()), ("edge_share", pa.float32())])
# The median over 3 x 3 pixels of a difference is none below so many sigmas of one pixel.
_SIGMAS = 1.6
_GAIN_ERROR = 0.02  # the frame's illumination is known to this fraction
_EDGE = 6.0  # grey levels a pixel from which the background has an edge
_ALONG = 0.88  # cosine between the outline's normal and the edge's, at least
_MARGIN_PX = 5


def evidence_shard(job: StreetJob) -> int:
    """Write the background evidence on a block of frames, a row of EVIDENCE for each detection; the number of rows."""
    rows = []
    for relit, found in relit_frames(job.index, job.root, job.backgrounds, job.tracks, job.frame_ids):
        for mask, detection_id in zip(relit.placed, found["detection_id"].to_pylist(), strict=True):
            like_background = background_like(relit, mask)
            rle = masks.encode(like_background, mask.xy, relit.frame.shape[:2]) if like_background.any() else None
            rows.append({"detection_id": detection_id, "bare_rle": rle, "edge_share": edge_fraction(relit, mask)})
    write_table(job.out, pa.Table.from_pylist(rows, schema=EVIDENCE))
    return len(rows)


def evidence_on(evidence: pa.Table | None, seen: Observations) -> tuple[dict[int, str], np.ndarray]:
    """Background-like pixels by detection_id, and edge_share (N,); none of either without a table."""
    if evidence is None:
        return {}, np.zeros(len(seen))
    ids, rles, fractions = (evidence[name].to_pylist() for name in ("detection_id", "bare_rle", "edge_share"))
    fraction_of = dict(zip(ids, fractions, strict=True))
    like_background = {i: rle for i, rle in zip(ids, rles, strict=True) if rle is not None}
    return like_background, np.array([fraction_of.get(i, 0.0) for i in seen.detection_id.tolist()], float)


def background_like_fraction(
    seen: Observations, like_background: dict[int, str], size_hw: tuple[int, int]
) -> np.ndarray:
    """(N,) fraction of each mask that shows the background."""
    ids = seen.detection_id.tolist()
    area_px = [masks.area(like_background[i], size_hw) if i in like_background else 0 for i in ids]
    return np.array(area_px) / np.maximum(seen.area_px, 1)


def background_like(relit: Relit, mask: PlacedMask) -> np.ndarray:
    """(h, w) bool, the mask's crop: inside it, and no different from the background."""
    if not mask.crop.size:
        return mask.crop
    crop, box = padded(mask, (0, 0), relit.frame.shape[:2])
    frame, background = relit.crop(box)
    # A median, not a mean: the object's colours on both sides of a thin pole must not reach into it.
    difference = np.abs(cv2.medianBlur(np.ascontiguousarray(frame - background, np.float32), 3)).max(axis=2)
    level = background.mean(axis=2)
    same = (difference < _SIGMAS * relit.noise[np.clip(level, 0, 255).astype(int)] + _GAIN_ERROR * level) & crop
    return cv2.morphologyEx(same.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)).astype(bool)


def edge_fraction(relit: Relit, mask: PlacedMask) -> float:
    """Fraction of the outline's pixels, 0 to 1, at which the background has an edge of the same direction."""
    if not mask.crop.any():
        return 0.0
    crop, (x, y, w, h) = padded(mask, (_MARGIN_PX, _MARGIN_PX), relit.frame.shape[:2])
    grey = cv2.cvtColor(relit.background[y : y + h, x : x + w], cv2.COLOR_BGR2GRAY).astype(np.float32)
    edges = _gradient(cv2.GaussianBlur(grey, (0, 0), 0.8))
    normal = _gradient(cv2.GaussianBlur(crop.astype(np.float32), (0, 0), 1.5))
    contours, _ = cv2.findContours(crop.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    at = np.concatenate(contours)[:, 0]  # (N, 2) x, y
    inward = normal[at[:, 1], at[:, 0]]
    inward /= np.linalg.norm(inward, axis=1, keepdims=True) + 1e-9
    follows = np.zeros(len(at), bool)
    for step in (-1, 0, 1, 2):  # pixels outwards: a mask may be a little small or large
        there = np.round(at - step * inward).astype(int).clip(0, [w - 1, h - 1])
        edge = edges[there[:, 1], there[:, 0]]
        strength = np.linalg.norm(edge, axis=1)
        follows |= (strength > _EDGE) & (np.abs((edge * inward).sum(axis=1)) > _ALONG * strength)
    return float(follows.mean())


def _gradient(image: np.ndarray) -> np.ndarray:
    """(h, w, 2) change a pixel along x and y."""
    return np.stack([cv2.Scharr(image, cv2.CV_32F, 1, 0), cv2.Scharr(image, cv2.CV_32F, 0, 1)], axis=-1) / 32
