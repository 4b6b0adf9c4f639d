"""OKS and COCO's average precision of keypoints, of all of them and of those of one state alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.skeletons import Skeleton

THRESHOLDS = np.linspace(0.5, 0.95, 10)
_ALONE = {"AP50": 0, "AP75": 5, "AP80": 6, "AP90": 8}  # of THRESHOLDS, the tables of people who hide each other
_RECALLS = np.linspace(0, 1, 101)
_MOST = 20  # detections of a picture that count, as in COCO


def keypoint_similarity(
    found: np.ndarray, wanted: np.ndarray, chosen: np.ndarray, area_px: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """(M, N) OKS of M found poses (M, K, 2) with N objects' keypoints (N, K, 2): the mean over the chosen (N, K) of
    exp(-d^2 / (2 s (2 sigma)^2)), s the object's area (N,); 0 of an object without any.

    https://cocodataset.org/#keypoints-eval
    """
    distance = np.square(np.where(chosen[None, ..., None], found[:, None] - wanted[None], 0)).sum(-1)  # (M, N, K)
    variance = 2 * np.square(2 * np.array(skeleton.sigmas)) * (area_px[:, None] + np.spacing(1))
    likeness = np.where(chosen, np.exp(-distance / variance), 0).sum(-1)
    return likeness / np.maximum(chosen.sum(-1), 1)


def keypoint_precision(
    similarity: Sequence[np.ndarray], scores: Sequence[np.ndarray], asked: Sequence[np.ndarray]
) -> dict[str, float]:
    """AP, AP50, AP75, AP80, AP90 and count of objects, of pictures' OKS (M, N), scores (M,) of what was found, and (N,)
    bool of which objects are asked about: the others are neither right nor wrong. COCO's rules: the best of a picture's
    first 20 takes the free object that it is most like, one that is asked about before any other.

    NaN where nothing is asked about.
    """
    count = sum(int(one.sum()) for one in asked)
    if not count:
        return {"count": 0, "AP": float("nan")} | dict.fromkeys(_ALONE, float("nan"))
    curves = []
    for least in THRESHOLDS:
        right = [_matches(*one, least) for one in zip(similarity, scores, asked, strict=True)]
        order = np.argsort(-np.concatenate([score for score, _ in right]), kind="mergesort")
        outcome = np.concatenate([hit for _, hit in right])[order]
        outcome = outcome[outcome >= 0]
        hits = np.cumsum(outcome)
        precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
        place = np.searchsorted(hits / count, _RECALLS - 1e-12, side="left")
        curves.append(np.where(place < len(precision), np.append(precision, 0)[np.minimum(place, len(precision))], 0))
    means = np.mean(curves, axis=1)
    alone = {name: float(means[number]) for name, number in _ALONE.items()}
    return {"count": count, "AP": float(means.mean()), **alone}


def _matches(
    similarity: np.ndarray, scores: np.ndarray, asked: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a picture's detections, best first, and of each 1 right, 0 wrong, -1 neither."""
    order = np.argsort(-scores, kind="mergesort")[:_MOST]
    free, outcome = np.ones(len(asked), bool), np.zeros(len(order), int)
    for k, row in enumerate(order):
        for among in (asked, ~asked):
            open_ = free & among & (similarity[row] >= least)
            if open_.any():
                best = int(np.where(open_, similarity[row], -1).argmax())
                free[best], outcome[k] = False, 1 if asked[best] else -1
                break
    return scores[order], outcome
