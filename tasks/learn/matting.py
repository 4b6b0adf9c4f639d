"""MattingSamples: what the matting network is trained on, from the simulated cameras that are there for it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tasks.learn.training_data import CollectedData


class MattingSamples(CollectedData):
    """Detections of the training cameras beside their exact masks, one Parquet file a camera."""

    prefix = "matting"

    def collect(self, folder: Path) -> pa.Table:
        """Samples of a camera."""
        from models.matting.data import samples_of  # torch loads for seconds, other stages do without it

        return samples_of(folder)
