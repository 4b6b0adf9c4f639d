"""The paper's figures 3 to 10, as PNG files in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from models.metrics.hidden_keypoints import VISIBLE, Scored, correspondences
from pipeline.core.skeletons import VEHICLE_12

TITLES = {"baseline": "baseline", "heatmap": "heatmaps", "graph": "2D-KGNN", "lifted": "3D-KGNN"}
HIDDEN_COUNTS = (3, 4, 5, 6, 7, 8, 9)
_ALPHAS = np.linspace(0.01, 0.3, 30)
_KEYPOINTS = len(VEHICLE_12)
_COUNTS = range(1, _KEYPOINTS)
_SHOWN_COUNTS = (3, 5, 7, 8, 9)


def plot_all(scored: Mapping[str, Scored], noisy: Mapping[float, Scored], folder: Path) -> None:
    """Write every figure, those of a scene with its name: scores by scene, and by noise on the graphs' input.

    What the labels do not tell is not plotted: figures 3, 6 and 9 need hidden points, 4 several views of a vehicle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for scene, s in scored.items():
        plot_alphas(s, folder / f"{'figure8' if 'composed' in scene else 'figure5'}_alpha_{scene}.png")
        if s.tells_hidden:
            plot_occlusion(s, folder / f"figure3_occlusion_{scene}.png")
        if (s.located & (s.state > VISIBLE)).any():
            plot_counts(s, folder / f"{'figure9' if 'composed' in scene else 'figure6'}_hidden_{scene}.png")
        if np.unique_counts(s.instance).counts.max() > 1:
            plot_correspondences(s, folder / f"figure4_correspondences_{scene}.png")
    if noisy:
        plot_noise(noisy, folder / "figure10_noise.png")


def plot_occlusion(s: Scored, path: Path) -> None:
    """How confident the baseline's heatmaps are of visible and hidden points, and the ROC of finding hidden ones."""
    with _figure(path, 2) as (left, right):
        for name, chosen in (("visible", s.state == VISIBLE), ("hidden", s.state > VISIBLE)):
            left.hist(1 - s.hidden["baseline"][chosen], bins=40, range=(0, 1), alpha=0.6, density=True, label=name)
        left.set(xlabel="confidence of the baseline's heatmap", ylabel="density")
        for method in ("baseline", "graph"):
            if method in s.hidden:
                right.plot(*s.roc(method), label=f"{TITLES[method]}, AUC {s.auc(method):.3f}")
        right.set(xlabel="false positive rate", ylabel="true positive rate")


def plot_alphas(s: Scored, path: Path) -> None:
    """PCK against alpha of all points, of visible ones, and of hidden ones of crops that hide 3, 5, 7, 8 and 9 of 12,
    where there are any."""
    panels = {"all": s.located, "visible": s.state == VISIBLE}
    for count in _SHOWN_COUNTS:
        panels[f"hidden, {count} of {_KEYPOINTS}"] = (s.state > VISIBLE) & (s.hidden_count == count)[:, None]
    panels = {name: chosen for name, chosen in panels.items() if (chosen & s.located).any()}
    with _figure(path, len(panels)) as axes:
        for ax, (name, chosen) in zip(axes, panels.items(), strict=True):
            for method in s.error:
                ax.plot(_ALPHAS, [s.pck(method, chosen, a) for a in _ALPHAS], label=TITLES[method])
            ax.set(xlabel="alpha", ylabel="PCK", title=name, ylim=(0, 1))


def plot_counts(s: Scored, path: Path) -> None:
    """PCK of hidden points against how many of twelve are hidden, at two alphas."""
    with _figure(path, 2) as axes:
        for ax, alpha in zip(axes, (0.05, 0.1), strict=True):
            for method in s.error:
                ax.plot(_COUNTS, [s.pck_of_hidden(method, n, alpha) for n in _COUNTS], "o-", label=TITLES[method])
            ax.set(xlabel=f"hidden of {_KEYPOINTS}", ylabel=f"PCK@{alpha:g} of hidden points", ylim=(0, 1))


def plot_correspondences(s: Scored, path: Path) -> None:
    """How many points at least two views have right, against the number of views."""
    views, usable = range(2, 9), np.ones_like(s.state, bool)
    with _figure(path, 1) as (ax,):
        for method in s.error:
            ax.plot(views, [correspondences(s, method, n, usable) for n in views], "o-", label=TITLES[method])
        ax.set(xlabel="views", ylabel=f"corresponding points of {_KEYPOINTS}", ylim=(0, _KEYPOINTS))


def plot_noise(noisy: Mapping[float, Scored], path: Path) -> None:
    """PCK@0.1 of all points against noise on the graphs' input."""
    with _figure(path, 1) as (ax,):
        for method in next(iter(noisy.values())).error:
            if method != "heatmap":
                ax.plot(list(noisy), [s.pck(method, s.state >= 0) for s in noisy.values()], "o-", label=TITLES[method])
        ax.set(xlabel="noise, half boxes", ylabel="PCK@0.1", ylim=(0, 1))


def plot_curves(
    panels: Mapping[str, Mapping[str, tuple[Sequence[str], Sequence[float]]]], what: str, path: Path
) -> None:
    """Panels side by side by the name of what they go over, each with curves by name: places along it and values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _figure(path, len(panels)) as axes:
        for ax, (over, curves) in zip(axes, panels.items(), strict=True):
            for name, (places, values) in curves.items():
                ax.plot(places, values, "o-", label=name)
            ax.set(xlabel=over, ylabel=what, ylim=(0, None))


@contextmanager
def _figure(path: Path, columns: int) -> Iterator[list[Axes]]:
    figure, axes = plt.subplots(1, columns, figsize=(4.2 * columns, 3.6), squeeze=False, layout="constrained")
    yield list(axes[0])
    for ax in axes[0]:
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
