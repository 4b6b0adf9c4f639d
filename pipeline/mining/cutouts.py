"""Crop accepted detections from their frames: colour with a soft edge, and the shadow they cast.

A sprite is BGRA; its alpha is at least one half exactly where the mask is set. Colours are under the illumination of
the bucket's background and free of it at the edge, so that a sprite pasted back gives the frame again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.ground import pixels_per_metre
from pipeline.core.frames import StreetJob
from pipeline.core.illumination import Box, PlacedMask, Relit, padded, relit_frames
from pipeline.core.storage import read_table, write_table
from pipeline.core.tables import CUTOUTS, to_table
from pipeline.mining.cast_shadows import CastShadow, ShadowSettings, cast_shadow
from pipeline.mining.observations import foot_px

EDGE_PX = 7  # room around the mask for its soft edge and its halo
_SOFT_PX = 0.7  # standard deviation of the edge where the colours do not tell
_UNSURE = 35.0  # grey levels, over three channels, between object and background below which they do not
_HALO_SURE_PX = 4  # a halo is kept whole up to there, and less and less up to EDGE_PX
_HALO_NOISE = 0.5  # of its standard deviation: so much of a difference is taken for noise
_HALO_LARGEST = 60  # grey levels: what differs by more is something else
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]


@dataclass(frozen=True)
class CutoutSettings:
    """What a cutout keeps."""

    refine: bool = field(default=True, metadata={"help": "make every detector's mask exact with the matting network"})
    keep_shadow: bool = field(default=True, metadata={"help": "keep the cast shadow of the source frame as a layer"})
    keep_halo: bool = field(
        default=True, metadata={"help": "keep the bright or dark line that lens and sharpening draw around an object"}
    )
    empty_frames: int = field(
        default=4, metadata={"help": "empty frames of each time bucket to compose over, 0 for its median alone"}
    )
    shadow: ShadowSettings = field(default_factory=ShadowSettings)


@dataclass(frozen=True)
class CropJob(StreetJob):
    """A block of frames to crop from: where the accepted detections (detection_id, stationary) are; `out` gets rows of
    CUTOUTS."""

    accepted: Path
    camera: Camera
    plane: GroundPlane
    settings: CutoutSettings


def crop_shard(job: CropJob) -> int:
    """Write the cutouts of a block of frames; the number of rows."""
    table = read_table(job.accepted)
    accepted = dict(zip(table["detection_id"].to_pylist(), table["stationary"].to_pylist(), strict=True))
    wanted = {i // 10000 for i in accepted}
    frame_ids = [i for i in job.frame_ids if i in wanted]
    cutouts: list[dict] = []
    for relit, rows in relit_frames(job.index, job.root, job.backgrounds, job.tracks, frame_ids):
        for mask, row in zip(relit.placed, rows.to_pylist(), strict=True):
            if row["detection_id"] in accepted:
                cutouts.append(_cutout(relit, mask, row, accepted[row["detection_id"]], job))
    write_table(job.out, to_table(cutouts, CUTOUTS), row_group_rows=200)
    return len(cutouts)


def _cutout(relit: Relit, mask: PlacedMask, row: dict, stationary: bool, job: CropJob) -> dict:
    scale = pixels_per_metre(job.camera, job.plane, foot_px(np.array([row["bbox_xywh"]])))[0]
    # A mask may end above the horizon, where no shadow falls.
    shadow = cast_shadow(relit, mask, scale, job.settings.shadow) if np.isfinite(scale).all() else None
    image, (x, y, _, _) = sprite(relit, mask, shadow)
    row = {"cutout_id": row.pop("detection_id"), **row, "stationary": stationary}
    row |= {"sprite": png(image), "sprite_xy": [x, y], "shadow": None, "shadow_xy": None}
    row["halo"] = png(halo(relit, mask, shadow, image)) if job.settings.keep_halo else None
    if shadow is not None and job.settings.keep_shadow:
        row |= {"shadow": png(shadow.illumination), "shadow_xy": list(shadow.xy)}
    return row


def png(image: np.ndarray) -> bytes:
    """An image uint8 as a PNG, packed for speed."""
    return cv2.imencode(".png", image, _PNG)[1].tobytes()


def sprite(relit: Relit, mask: PlacedMask, shadow: CastShadow | None) -> tuple[np.ndarray, Box]:
    """BGRA uint8 (h, w, 4) of a mask with a margin of EDGE_PX, and its box in the frame.

    At its edge the object lies over ground that its own shadow darkens, hence the shadow is needed first.
    """
    crop, box = padded(mask, (EDGE_PX, EDGE_PX), relit.frame.shape[:2])
    frame, background = relit.crop(box)
    if shadow is not None:
        background *= shadow.over(box)[..., None]
    alpha, colour = matte(frame, background, crop)
    image = np.dstack([colour, alpha * 255]).round().clip(0, 255).astype(np.uint8)
    image[image[..., 3] == 0] = 0
    # Rounding may not move a pixel across the half.
    image[..., 3] = np.where(crop, np.maximum(image[..., 3], 128), np.minimum(image[..., 3], 127))
    return image, box


def halo(relit: Relit, mask: PlacedMask, shadow: CastShadow | None, image: np.ndarray) -> np.ndarray:
    """BGR uint8 (h, w, 3), 128 + what has to be added to the ground under a sprite (h, w, 4) to give the frame again.

    Differences that noise may make are left out: the ground that a sprite is pasted on has its own.
    """
    crop, box = padded(mask, (EDGE_PX, EDGE_PX), relit.frame.shape[:2])
    frame, background = relit.crop(box)
    if shadow is not None:
        background *= shadow.over(box)[..., None]
    alpha = image[..., 3:].astype(np.float32) / 255
    lacking = (frame - alpha * image[..., :3]) / np.maximum(1 - alpha, 0.5) - background
    noise = relit.noise[background.mean(axis=2).clip(0, 255).astype(np.uint8)][..., None]
    sure = np.sign(lacking) * np.maximum(np.abs(lacking) - _HALO_NOISE * noise, 0)
    away = cv2.distanceTransform((~crop).astype(np.uint8), cv2.DIST_L2, 3)
    weight = np.clip((EDGE_PX - away) / (EDGE_PX - _HALO_SURE_PX), 0, 1) * ~crop
    x, y, w, h = box
    owner = relit.owner[y : y + h, x : x + w]
    weight[((owner > 0) & (owner != mask.number)) | (np.abs(lacking).max(axis=2) > _HALO_LARGEST)] = 0
    return np.rint(128 + weight[..., None] * sure).clip(0, 255).astype(np.uint8)


def matte(frame: np.ndarray, background: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """alpha (h, w) 0 to 1 and the object's own colour (h, w, 3), for frame = alpha colour + (1 - alpha) background.

    Within two pixels of the mask's edge alpha is how far the pixel lies from the background towards the colour
    further inside; where the two are alike it is the mask, slightly blurred.
    """
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SOFT_PX)
    within = _inside_colour(frame, mask)
    contrast = within - background
    power = (contrast**2).sum(axis=2)
    estimated = ((frame - background) * contrast).sum(axis=2) / np.maximum(power, 1e-6)
    trust = power / (power + _UNSURE**2)
    mixed = trust * estimated.clip(0, 1) + (1 - trust) * soft
    alpha = np.clip(mixed, soft - 0.26, soft + 0.26)
    alpha = np.where(soft < 0.02, 0, np.where(soft > 0.98, 1, alpha)).clip(0, 1)
    alpha = np.where(mask, np.maximum(alpha, 0.5), np.minimum(alpha, 0.49))
    pure = (frame - (1 - alpha[..., None]) * background) / np.maximum(alpha[..., None], 0.05)
    # Dividing by a small alpha multiplies the noise: there the colour further inside takes over.
    fraction = np.clip((alpha[..., None] - 0.05) / 0.2, 0, 1)
    return alpha, (fraction * pure.clip(0, 255) + (1 - fraction) * within).clip(0, 255)


def _inside_colour(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(h, w, 3) the colours of pixels well inside the mask, carried out to its edge."""
    framed = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    core = (depth > min(2.0, 0.6 * float(depth.max()))).astype(np.float32)
    near = cv2.GaussianBlur(core, (0, 0), 1.5)[..., None]
    far = cv2.GaussianBlur(core, (0, 0), 5.0)[..., None]
    # The far estimate steps in where no pixel of the core is near.
    total = near + 0.01 * far + 1e-6
    return (
        cv2.GaussianBlur(frame * core[..., None], (0, 0), 1.5)
        + 0.01 * cv2.GaussianBlur(frame * core[..., None], (0, 0), 5.0)
        + 1e-6 * frame
    ) / total
