"""Crops of two cameras' actors, whole on the left and half hidden on the right, and streets with two boxes."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from contract_cases import Case

from models.contract import Given
from models.labels.occlusion import CROPS, crop_of, row
from models.occlusion_classifier import ClassifierSettings

BOXES = np.array([[30.0, 40, 24, 40], [90, 30, 40, 24]])


def street(seed):
    """A noisy street (120, 160, 3) with a red and a half hidden blue box."""
    rng = np.random.default_rng(seed)
    image = np.clip(rng.normal(120, 10, (120, 160, 3)), 0, 255).astype(np.uint8)
    for (x, y, w, h), colour in zip(BOXES.astype(int), ((40, 50, 200), (200, 60, 40)), strict=True):
        image[y : y + h, x : x + w] = colour
    image[:, 110:118] = 30
    return image


def rows(camera):
    """Two crops of each of twelve actors."""
    for actor in range(12):
        image = street(100 * camera + actor)
        for (x, y, w, h), name in zip(BOXES.astype(int), ("unoccluded", "occluded_by_static"), strict=True):
            yield row(actor, (name,), crop_of(image, np.ones((h, w), bool), (x, y)))


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    folder = tmp_path_factory.mktemp("occlusion_classifier")
    for camera in range(2):
        pq.write_table(pa.Table.from_pylist(list(rows(camera)), schema=CROPS), folder / f"{camera}.parquet")
    return Case(
        ClassifierSettings(width=8),
        Given(data=folder),
        [street(1), street(2)],
        [BOXES, BOXES],
        identities=lambda samples: samples.groups,
        # Boxes of even sides: the mirrored picture's crop is the crop's mirror image, and the answer is a mean of both.
        mirror={"occlusion_chances": 1e-4, "unoccluded_chance": 1e-4, "occlusion": 0},
    )
