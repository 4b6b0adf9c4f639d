"""Training samples of the matting network: crops of simulated cameras whose true masks are known.

A sample is what the pipeline itself would hand the network: a detection's mask, its frame in the background's
illumination, the background; and the exact visible mask of the actor that the detection shows. Every tenth actor of a
camera is kept for validation: no actor is in both splits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from models.contract import Given, Splits
from models.matting import MattingSettings
from models.matting.cast_light import with_cast_light
from models.matting.predict import inputs
from pipeline.core import masks
from pipeline.core.illumination import Relit, padded, relit_frames
from pipeline.core.storage import read_table
from pipeline.core.tables import column
from pipeline.simulate import read_truth

MARGIN_PX = 24
CROP_PX = 96
_LEAST_IOU = 0.4
_SIDE_FRACTION = 0.25
_KEPT = 10  # every tenth actor validates

SAMPLES = pa.schema(
    [
        column("frame_id", pa.int64(), "the frame", source="detect"),
        column("actor_id", pa.int64(), "the simulated actor", source="truth"),
        column("height", pa.int64(), "of the crop", unit="px", source="detect"),
        column("width", pa.int64(), "of the crop", unit="px", source="detect"),
        column("frame", pa.binary(), "BGR uint8 in the background's light", shape="height,width,3", source="frames"),
        column("background", pa.binary(), "BGR uint8", shape="height,width,3", source="background"),
        column("rough", pa.binary(), "the detection's mask, 0 or 1", shape="height,width", source="detect"),
        column("mask", pa.binary(), "the true visible mask, 0 or 1", shape="height,width", source="truth"),
    ]
)


def matting_samples(camera_dir: Path, per_actor: int = 6) -> pa.Table:
    """SAMPLES of a simulated camera that ran up to EmptyStreet: of an actor at most so many, along its trajectory."""
    truth = read_truth(camera_dir / "truth").to_pandas()
    index = camera_dir / "frames" / "index.parquet"
    ids = read_table(index, columns=["frame_id"])["frame_id"].to_pylist()
    rows = []
    by_frame = truth.groupby("frame_id").indices
    for relit, found in relit_frames(index, camera_dir, camera_dir / "background", camera_dir / "tracks.parquet", ids):
        frame_id = found["frame_id"][0].as_py()
        there = truth.iloc[by_frame.get(frame_id, np.array([], int))]
        rows += list(_of_relit(relit, frame_id, there["actor_id"].tolist(), there["mask_visible_rle"].tolist()))
    table = pa.Table.from_pylist(rows, schema=SAMPLES)
    return table.take(_evenly(table["actor_id"].to_numpy(), per_actor))


def _of_relit(relit: Relit, frame_id: int, actors: list[int], truth: list[str]) -> Iterator[dict]:
    size_hw = relit.frame.shape[:2]
    if not truth:
        return
    for placed in relit.placed:
        overlap = masks.iou([masks.encode(placed.crop, placed.xy, size_hw)], truth, size_hw)[0]
        best = int(overlap.argmax())
        if overlap[best] < _LEAST_IOU:
            continue
        rough, (x, y, w, h) = padded(placed, (MARGIN_PX, MARGIN_PX), size_hw)
        frame, background = relit.crop((x, y, w, h))
        exact = masks.full(truth[best], size_hw)[y : y + h, x : x + w]
        layers = {"frame": frame, "background": background, "rough": rough, "mask": exact}
        pixels = {name: np.clip(np.rint(v), 0, 255).astype(np.uint8).tobytes() for name, v in layers.items()}
        yield {"frame_id": frame_id, "actor_id": actors[best], "height": h, "width": w, **pixels}


def _evenly(actors: np.ndarray, most: int) -> np.ndarray:
    """Rows to keep, in order: of each actor at most so many, evenly spread."""
    kept: list[np.ndarray] = []
    for rows in np.split(np.argsort(actors, kind="stable"), np.unique(actors, return_index=True)[1][1:]):
        kept.append(rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))] if len(rows) else rows)
    return np.sort(np.concatenate(kept))


def splits(settings: MattingSettings, given: Given, seed: int) -> Splits:
    """Training and validation samples of the SAMPLES tables, one a camera, in `given.data`, apart by actors.

    Raises ValueError where there are too few of them to be divided.
    """
    tables = [read_table(path) for path in sorted(given.data.glob("*.parquet"))] if given.data else []
    train, val = (
        MattingCrops(
            [t.filter((t["actor_id"].to_numpy() % _KEPT == 0) == kept) for t in tables], seed + kept, vary=not kept
        )
        for kept in (False, True)
    )
    return Splits(train, val)


class MattingCrops:
    """Crops (CROP_PX square) of the samples of tables, one a camera: sample i is a pure function of i and the seed.

    Varied: mirrored, other paint, illumination and noise; a rough mask that is worse in other ways than the detector's.
    """

    def __init__(self, tables: list[pa.Table], seed: int, *, vary: bool) -> None:
        if not sum(map(len, tables)):
            raise ValueError("matting: expected training samples, got none; run the training cameras first")
        self.table, self.seed, self.vary = pa.concat_tables(tables).combine_chunks(), seed, vary
        self.actors = {(camera, actor) for camera, t in enumerate(tables) for actor in t["actor_id"].to_pylist()}

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """inputs (10, S, S), mask and rough (1, S, S) float32."""
        rng = np.random.default_rng([self.seed, index])
        number = int(rng.integers(len(self.table))) if self.vary else index % len(self.table)
        frame, background, rough, mask = self._crop(self._layers(number), rng)
        if self.vary:
            frame, background, rough, mask = _augmented(frame, background, rough, mask, rng)
        stack = inputs(frame.astype(np.float32), background.astype(np.float32), rough > 0)
        both = (torch.from_numpy((layer > 0)[None].astype(np.float32)) for layer in (mask, rough))
        return {"inputs": torch.from_numpy(stack), **dict(zip(("mask", "rough"), both, strict=True))}

    def _layers(self, number: int) -> list[np.ndarray]:
        row = {name: self.table[name][number].as_py() for name in SAMPLES.names}
        shape = (row["height"], row["width"])
        sizes = {"frame": (*shape, 3), "background": (*shape, 3), "rough": shape, "mask": shape}
        return [np.frombuffer(row[name], np.uint8).reshape(size) for name, size in sizes.items()]

    def _crop(self, layers: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """A crop around a pixel of the true or rough mask; where the crop is smaller its border is repeated."""
        h, w = layers[2].shape
        rows, columns = np.nonzero(layers[2] | layers[3])
        at = int(rng.integers(len(rows)))
        half = CROP_PX // 2
        jitter = rng.integers(-half // 3, half // 3 + 1, 2)
        # A whole object where it fits: the middle of the crop rather than any of its pixels.
        y = h // 2 if h <= CROP_PX else int(np.clip(rows[at] + jitter[0], half, h - half))
        x = w // 2 if w <= CROP_PX else int(np.clip(columns[at] + jitter[1], half, w - half))
        picked = []
        for layer in layers:
            grown = cv2.copyMakeBorder(layer, half, half, half, half, cv2.BORDER_REPLICATE)
            picked.append(grown[y : y + CROP_PX, x : x + CROP_PX])
        return picked


def _augmented(
    frame: np.ndarray, background: np.ndarray, rough: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if rng.random() < 0.5:
        frame, background, rough, mask = (np.ascontiguousarray(v[:, ::-1]) for v in (frame, background, rough, mask))
    image, street = frame.astype(np.float32), background.astype(np.float32)
    inside = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    if rng.random() < 0.5:  # other clothes and paint; what mixes at the edge mixes on
        paint = image * np.exp(rng.normal(0, 0.25, 3)) + rng.normal(0, 12)
        image = inside * paint + (1 - inside) * image
    if rng.random() < 0.5:
        image, changed = with_cast_light(image, mask > 0, rng)
        if rng.random() < 0.5:  # as a detector of change would have it
            rough = np.where(_near(changed, rough), 1, rough).astype(rough.dtype)
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.05, 3))
    image, street = image * gain, street * gain * np.exp(rng.normal(0, 0.02, 3))
    if rng.random() < 0.4:
        sigma = rng.uniform(0.3, 0.9)
        image, street = (cv2.GaussianBlur(v, (0, 0), sigma) for v in (image, street))
    image += rng.normal(0, rng.uniform(0, 4), image.shape)
    if rng.random() < 0.5:
        image = _recoded(image, int(rng.integers(45, 95)))
    return image.clip(0, 255), street.clip(0, 255), _spoilt(rough, mask, rng), mask


def _near(changed: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """(h, w) bool: the parts of what changed that join a rough mask."""
    _, labels = cv2.connectedComponents((changed | (rough > 0)).astype(np.uint8), connectivity=4)
    touching = np.unique(labels[rough > 0])
    return changed & np.isin(labels, touching[touching > 0])


def _recoded(image: np.ndarray, quality: int) -> np.ndarray:
    coded = cv2.imencode(".jpg", image.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.float32)


def _spoilt(rough: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rough mask of another detector: blurred, at another threshold, grown or shrunk, a part lost or added."""
    kind = rng.random()
    if kind < 0.45:
        return rough
    base = mask if kind < 0.75 else rough
    if not base.any():
        return rough
    spread = rng.uniform(0.8, 4.0)
    soft = cv2.GaussianBlur(base.astype(np.float32), (0, 0), spread)
    waves = cv2.GaussianBlur(rng.normal(0, 1, base.shape).astype(np.float32), (0, 0), 3 * spread) * spread
    spoilt = (soft + waves > rng.uniform(0.25, 0.7)).astype(np.uint8)
    rows, columns = np.nonzero(base)
    for value in (0, 1):
        if rng.random() < 0.35:
            at, radius = int(rng.integers(len(rows))), _SIDE_FRACTION * np.sqrt(len(rows)) * rng.uniform(0.3, 1)
            cv2.circle(spoilt, (int(columns[at]), int(rows[at])), int(radius), value, -1)
    # Beyond recognition is no rough mask of the object any more.
    return spoilt if (spoilt & mask).sum() > 0.4 * (spoilt | mask).sum() else rough
