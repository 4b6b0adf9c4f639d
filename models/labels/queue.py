"""Which detections of a camera a human is asked about, and how they are shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.labels.occlusion import OBJECT, STREET, crop_of
from models.labels.occlusion_csv import place_of
from pipeline.core import masks
from pipeline.core.frames import FrameReader
from pipeline.core.storage import read_table

_SHOWN_PX = 480


class Detections:
    """At most `count` detections of a camera that ran up to TrackObjects, in an order that the seed fixes: of every
    track one before any has two. `queue`: their places by detection_id."""

    def __init__(self, camera_dir: Path, seed: int, count: int) -> None:
        columns = ["detection_id", "frame_id", "track_id", "bbox_xywh", "mask_rle"]
        tracks = read_table(camera_dir / "tracks.parquet", columns=columns).to_pandas()
        mixed = tracks.iloc[np.random.default_rng(seed).permutation(len(tracks))]
        turn = mixed.groupby("track_id").cumcount().sort_values(kind="stable")
        asked = tracks.loc[turn.index[:count]].to_dict("records")
        self.queue = {int(one["detection_id"]): place_of(one["frame_id"], one["bbox_xywh"]) for one in asked}
        self._rows = tracks.set_index("detection_id")
        self._index, self._root = read_table(camera_dir / "frames" / "index.parquet"), camera_dir

    def picture(self, detection_id: int) -> bytes:
        """A JPEG of the crop, plain on the left, the mask's outline on the right."""
        one = self._rows.loc[detection_id]
        _, image = next(FrameReader(self._index, self._root).read([int(one["frame_id"])]))
        mask, (x, y, _, _) = masks.decode(str(one["mask_rle"]), (image.shape[0], image.shape[1]))
        crop = crop_of(image, mask, (x, y), _SHOWN_PX)
        plain = np.ascontiguousarray(crop[..., :3])
        inside = (crop[..., 3] > (OBJECT + STREET) // 2).astype(np.uint8)
        contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outlined = cv2.drawContours(plain.copy(), contours, -1, (60, 230, 255), 2)
        return cv2.imencode(".jpg", np.hstack([plain, outlined]), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
