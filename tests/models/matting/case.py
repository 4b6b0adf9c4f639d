"""Actors of two rendered cameras, and streets with two figures whose rough masks are too large."""

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from contract_cases import Case

from models.contract import Given
from models.frames import Frame
from models.matting import MattingSettings
from models.matting.data import SAMPLES
from pipeline.core import masks
from pipeline.core.instances import Instances


def sample(seed, h=60, w=44):
    """A red box on a grey street, its rough mask one to three pixels too large."""
    rng = np.random.default_rng(seed)
    background = rng.normal(120, 4, (h, w, 3)).clip(0, 255).astype(np.uint8)
    mask = np.zeros((h, w), np.uint8)
    mask[15:45, 14:30] = 1
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]  # as a lens would
    frame = background * (1 - alpha) + np.array([30, 30, 200]) * alpha + rng.normal(0, 4, (h, w, 1))
    frame = frame.clip(0, 255).astype(np.uint8)
    rough = cv2.dilate(mask, np.ones((3 + 2 * (seed % 3),) * 2, np.uint8))
    layers = {"frame": frame, "background": background, "rough": rough, "mask": mask}
    return {"frame_id": seed, "actor_id": seed, "height": h, "width": w} | {k: v.tobytes() for k, v in layers.items()}


def picture(seed):
    """A street of 160 x 120 pixels with two figures in the way of nobody."""
    rng = np.random.default_rng(seed)
    background = np.clip(rng.normal(120, 3, (120, 160, 1)).repeat(3, 2), 0, 255).astype(np.uint8)
    image, rles = background.copy(), []
    for x, colour in ((20, (60, 50, 150)), (100, (150, 60, 40))):
        whole = np.zeros((120, 160), np.uint8)
        cv2.rectangle(whole, (x, 40), (x + 18, 90), 1, -1)
        cv2.circle(whole, (x + 9, 33), 6, 1, -1)
        image[whole > 0] = colour
        rough = cv2.dilate(whole, np.ones((5, 5), np.uint8)) > 0
        rles.append(masks.encode(rough, (0, 0), (120, 160)))
    image = cv2.GaussianBlur(image, (0, 0), 0.7)  # as a lens would
    boxes = np.array([[x - 2, 25, 23, 68] for x in (20, 100)], float)
    return Frame(image, Instances((120, 160), {"bbox_xywh": boxes, "mask_rle": rles}), f"{seed}.png", background)


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    folder = tmp_path_factory.mktemp("matting")
    for camera in ("a", "b"):
        table = pa.Table.from_pylist([sample(actor) for actor in range(12)], schema=SAMPLES)
        pq.write_table(table, folder / f"{camera}.parquet")
    return Case(
        MattingSettings((8, 12, 16, 24)),
        Given(data=folder),
        [picture(1), picture(2)],
        identities=lambda samples: samples.actors,
        shows=lambda predictor: predictor.logits(np.linspace(-1, 1, 10 * 16 * 24, dtype="f4").reshape(1, 10, 16, 24)),
        lr=1e-2,
        steps=40,
        mirror={"mask_visible_rle": 0.05, "bbox_visible_xywh": 2},
    )
