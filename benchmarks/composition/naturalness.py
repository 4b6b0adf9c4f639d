"""Can a small classifier tell composed objects from the same camera's real ones?

    python -m benchmarks.naturalness [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

Area under the ROC curve on tracks that trained nothing, mean and deviation of three seeds, of three questions: our
scenes against frames; the same scenes pasted hard (the masks' pixels as they were, on the median, as WALT does) against
frames, which the classifier has to be able to answer; frames of half the tracks against frames of the others, which it
must not. Pairs are alike in category, time, place, size, hidden fraction and fraction of others in the crop.
out/naturalness_CAMERA.png shows the crops that gave themselves away most, each beside the real one of its pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.common.job import CHECKED_CAMERAS, Site
from benchmarks.common.report import OUT, Bar, Report, main
from benchmarks.composition.crops import (
    SIDE_PX,
    Crops,
    composed_crops,
    hard_scenes,
    matched,
    our_scenes,
    real_crops,
)
from benchmarks.pipeline.real_cameras import missing
from pipeline.composition.sample import ComposeSettings

REAL_CAMERAS = ("pets-onnx",)
OURS_AT_MOST, HARD_AT_LEAST = 0.65, 0.85
REAL_LOW, REAL_HIGH = 0.45, 0.55
SEEDS = (0, 1, 2)
TEST_FRACTION = 0.4  # of the tracks
STEPS, BATCH = 300, 48
SHOWN, _ZOOM = 12, 2
_INNER_PX = 88  # the classifier sees so much of a crop, moved about while it learns


class Classifier(nn.Module):
    """Chance, as a logit, that crops (B, 6, S, S), as `_inputs` has them, are composed; fixed on hard pastes alone."""

    def __init__(self) -> None:
        super().__init__()
        widths = (6, 16, 32, 48, 64)
        layers = [
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in pairwise(widths)
        ]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * widths[-1], 1))

    def forward(self, crops: Tensor) -> Tensor:
        """(B,) logits."""
        features = self.layers(crops)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return self.last(pooled)[:, 0]


def trained(pictures: np.ndarray, composed: np.ndarray, seed: int, steps: int) -> Classifier:
    """A classifier of crops (N, S, S, 3) uint8 that are composed (N,) bool, mirrored, moved and dimmed at random."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Classifier().train()
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        rows = rng.integers(len(pictures), size=BATCH)
        y, x = rng.integers(SIDE_PX - _INNER_PX + 1, size=2)
        batch = pictures[rows, y : y + _INNER_PX, x : x + _INNER_PX]
        batch = batch[:, :, ::-1] if rng.random() < 0.5 else batch
        dimmed = _inputs(batch) * torch.from_numpy(np.exp(rng.normal(0, 0.15, (BATCH, 1, 1, 1))).astype(np.float32))
        loss = nn.functional.binary_cross_entropy_with_logits(
            network(dimmed), torch.from_numpy(composed[rows].astype(np.float32))
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def scores(network: Classifier, pictures: np.ndarray) -> np.ndarray:
    """(N,) logits of crops, of each and its mirror image."""
    edge = (SIDE_PX - _INNER_PX) // 2
    inner = pictures[:, edge : edge + _INNER_PX, edge : edge + _INNER_PX]
    with torch.inference_mode():
        parts = [network(_inputs(v[k : k + 256])) for v in (inner, inner[:, :, ::-1]) for k in range(0, len(v), 256)]
    return torch.cat(parts).numpy().reshape(2, -1).mean(axis=0)


def _inputs(pictures: np.ndarray) -> Tensor:
    """(B, 6, S, S) float32 of crops (B, S, S, 3): the colours, and what of them is finer than three pixels, larger."""
    colours = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 128 - 1
    fine = colours - nn.functional.avg_pool2d(colours, 3, 1, 1, count_include_pad=False)
    return torch.cat([colours, (16 * fine).clamp(-2, 2)], dim=1)


def area_under_curve(score: np.ndarray, positive: np.ndarray) -> float:
    """Chance that a positive has a higher score than a negative, equals counting half (Mann-Whitney's U)."""
    high, low = score[positive], score[~positive]
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(below.mean() / 2 / len(low)) if len(high) and len(low) else float("nan")


def held_out(tracks: np.ndarray, seed: int, fraction: float) -> np.ndarray:
    """(N,) bool: rows of a fraction of the tracks, other ones for another seed; the same of a track everywhere."""
    return np.array([np.random.default_rng([seed, int(t) + 1]).random() < fraction for t in tracks], bool)


Answer = tuple[float, int, list[tuple[float, np.ndarray, np.ndarray]]]


def asked(composed: Crops, real: Crops, seed: int, steps: int) -> Answer:
    """Area under the curve on held-out tracks, pairs that trained, and (score, composed crop, real crop) of the pairs
    that were asked."""
    pairs = []
    for test in (False, True):
        first, second = (
            c.take(held_out(c.about["track_id"].to_numpy(), seed, TEST_FRACTION) == test) for c in (composed, real)
        )
        rows, others = matched(first, second)
        pairs.append((first.pictures[rows], second.pictures[others]))
    (mine, theirs), (asked_mine, asked_theirs) = pairs
    if min(len(mine), len(asked_mine)) < 2:
        return float("nan"), len(mine), []
    labels = np.arange(2 * len(mine)) < len(mine)
    network = trained(np.concatenate([mine, theirs]), labels, seed, steps)
    score = scores(network, np.concatenate([asked_mine, asked_theirs]))
    area = area_under_curve(score, np.arange(len(score)) < len(asked_mine))
    return area, len(mine), list(zip(score[: len(asked_mine)].tolist(), asked_mine, asked_theirs, strict=True))


def halves(real: Crops, seed: int) -> tuple[Crops, Crops]:
    """Crops of half of the tracks, and of the others."""
    first = held_out(real.about["track_id"].to_numpy(), seed + 1000, 0.5)
    return real.take(first), real.take(~first)


def measure(site: Site, data: Path, steps: int) -> list[dict]:
    """A row for each question about a camera; the picture beside."""
    folder = site.job(data)
    quality = ComposeSettings().jpeg_quality
    real = real_crops(folder, quality)
    ours = composed_crops(folder, our_scenes(folder))
    hard = composed_crops(folder, hard_scenes(folder, quality))
    questions: dict[str, Callable[[int], Answer]] = {
        "ours": lambda seed: asked(ours, real, seed, steps),
        "hard": lambda seed: asked(hard, real, seed, steps),
        "real": lambda seed: asked(*halves(real, seed), seed, steps),
    }
    rows = []
    for name, question in questions.items():
        answers = [question(seed) for seed in SEEDS]
        areas = np.array([area for area, _, _ in answers])
        row = {"camera": site.camera, "question": name, "auc": float(areas.mean()), "deviation": float(areas.std())}
        rows.append(row | {"pairs": int(np.mean([n for _, n, _ in answers])), "asked": len(answers[0][2])})
        if name == "ours" and any(shown for _, _, shown in answers):
            told = sorted((pair for _, _, shown in answers for pair in shown), key=lambda pair: -pair[0])
            OUT.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(OUT / f"naturalness_{site.camera}.png"), picture_of(told))
    return rows


def picture_of(pairs: list[tuple[float, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Columns of a composed crop over the real one of its pair, enlarged; each composed one once."""
    known: set[bytes] = set()
    fresh = [p for p in pairs if p[1].tobytes() not in known and not known.add(p[1].tobytes())]  # type: ignore[func-returns-value]
    rows = [
        np.hstack([np.vstack([composed, real]) for _, composed, real in fresh[start : start + SHOWN // 2]])
        for start in (0, SHOWN // 2)
        if len(fresh) >= start + SHOWN // 2
    ]
    whole = np.vstack(rows) if rows else np.hstack([np.vstack(p[1:]) for p in fresh])
    return cv2.resize(whole, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_NEAREST)


def bars_of(rows: Sequence[dict]) -> list[Bar]:
    """A camera's bars by question."""
    bars = []
    for row in rows:
        name, area = f"{row['camera']} {row['question']} auc", row["auc"]
        if row["question"] == "ours":
            bars.append(Bar(name, area, at_most=OURS_AT_MOST))
        elif row["question"] == "hard":
            bars.append(Bar(name, area, at_least=HARD_AT_LEAST))
        else:
            bars += [Bar(f"{name}, low", area, at_least=REAL_LOW), Bar(f"{name}, high", area, at_most=REAL_HIGH)]
    return bars


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """The simulated cameras, and the real ones whose footage is at hand."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows: list[dict] = []
    skipped: dict[str, str] = {}
    for site in sites:
        if site.camera in REAL_CAMERAS and (lacking := missing(site.camera)):
            skipped[f"{site.camera} skipped"] = f"no {lacking} on this machine"
            continue
        rows += measure(site, data, 60 if quick else STEPS)
    return Report(rows, bars_of(rows), skipped)


if __name__ == "__main__":
    main("naturalness", __doc__, report, cameras=(*CHECKED_CAMERAS, *REAL_CAMERAS))
