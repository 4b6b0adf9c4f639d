"""CarFusion's raw files of a projected car: x,y,keypoint,object,flag, beside pictures of one grey for each video."""

import cv2
import numpy as np
from drives import drive

# Ours of CarFusion's fourteen.
_POINT = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13)
_MOMENTS = 12


def write_carfusion(root, sequence, video, focal, *, of=3, grey=90):
    """One video of one object that drives past and turns: points that are seen have flag 1, its far side 3."""
    turns = np.linspace(0.2, 2.6, _MOMENTS)
    places = np.column_stack([np.linspace(-6, 6, _MOMENTS), np.full(_MOMENTS, 18.0)])
    seen = drive(places, turns, focal=focal)
    for name in ("gt", "images_jpg"):
        (root / sequence / name).mkdir(parents=True, exist_ok=True)
    for i in range(_MOMENTS):
        labels = zip(seen.pixels[i].tolist(), _POINT, seen.visible[i].tolist(), strict=True)
        text = "".join(f"{x:.2f},{y:.2f},{point},{of},{1 if v else 3}\n" for (x, y), point, v in labels)
        (root / sequence / "gt" / f"{video}_{i:04d}.txt").write_text(text)
        picture = np.full((720, 1280, 3), grey, np.uint8)
        cv2.imwrite(str(root / sequence / "images_jpg" / f"{video}_{i:04d}.jpg"), picture)
