"""Human labels of occlusion, in either format that is read: our own CSV, and CVAT-for-images XML."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from models.labels.occlusion_csv import crops_of_csv
from models.labels.occlusion_cvat import crops_of_cvat


def read_labelled(path: Path, images: Path | None = None) -> pa.Table:
    """CROPS of a label file; images: the camera's folder of a CSV, the pictures' of an XML, else the file's own."""
    return crops_of_cvat(path, images or path.parent) if path.suffix == ".xml" else crops_of_csv(path, images)
