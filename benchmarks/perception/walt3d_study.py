"""Does composed clip-art teach a network to see what is hidden? The experiments of WALT3D's sections 5 and 6.

    python -m benchmarks.walt3d_study [--check] [--quick] [--only PART] [--seeds N] [--steps N] [--data DIR]

As the paper does it: a network learns from ordinary frames of two cameras, labelled as people label them, with visible
masks alone, and goes on, for as many steps again, on the same frames (modal), on clip-art of WALT's released code
(walt2d_released), of the paper before it (walt2d_ordered), on walt3d's, or on clip-art whose objects stand in the open
(sparse). Judged on another day and another camera, by exact truth and by how much is hidden: average precision, the IoU
of the hidden part, a miss being 0, and PCK@0.1 of hidden keypoints, a miss being wrong; mean and deviation of the
seeds. kinds: these five. scenes: walt3d and walt2d_released with a part of the scenes (Figure 8). A run that was
stopped goes on, one that ended is not run again; out/walt3d_study.png draws Figures 6 and 8. --quick learns hardly
anything, on the small camera alone, and binds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.common.job import QUICK_SITE, Site, clipart_dir, sites
from benchmarks.common.report import OUT, Bar, Report, main
from benchmarks.common.study import mean_of, once, runs_of
from benchmarks.perception.walt3d import LEAST_PX, of_large
from models.checkpoints import read_weights
from models.contract import MASKS, Splits
from models.metrics.average_precision import SIZES, Judged
from models.metrics.figures import plot_curves
from models.metrics.keypoints import PCK_FRACTION
from models.scenes.evaluate import Page, frame_of_scene, page_of
from models.scenes.objects import CLASSES, Scenes
from models.scenes.truth import LabelledFrames, TrueFrames
from models.train import Recipe, train_recipe
from models.walt3d import PRESETS, SPEC
from models.walt3d.data import Windows
from models.walt3d.network import Walt3d, load
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.tables import KEYPOINT_STATES

PARTS = ("kinds", "scenes")
LEARNT_FROM, JUDGED_ON = ("cam03", "cam05"), ("day07", "cam11")
KINDS = ("modal", "walt2d_released", "walt2d_ordered", "walt3d", "sparse")
IN_THE_OPEN = ("--variant", "sparse", "--ComposeShards-hidden-fraction", "0-10: 1")
FRACTIONS = (0.15, 0.25, 0.4, 0.6)  # of the scenes; all of them are the rows of `kinds`
BANDS = {"below 10 %": (0.0, 0.1), "10 to 40 %": (0.1, 0.4), "over 40 %": (0.4, 1.01)}
FRAMES, QUICK_FRAMES = 60, 4  # of each camera that is judged on
STEPS, QUICK_STEPS = 240, 2
_SPREAD = ("over 40 % AP", "below 10 % AP")  # of which the deviation of the seeds is told
_LR_AGAIN = 4e-4  # of the second half
_OCCLUDED = KEYPOINT_STATES.index("occluded")
_QUICK_PX = 128


class Study:
    """The runs of one seed: what they learn from, where they lie, and how good they are."""

    def __init__(self, data: Path, seed: int, steps: int, *, quick: bool) -> None:
        self.data, self.seed, self.quick = data, seed, quick
        self.folder = runs_of("walt3d_study", data, seed, steps, quick=quick)
        self.learnt_from = [QUICK_SITE] if quick else sites(LEARNT_FROM)
        self.judged_on = [QUICK_SITE] if quick else sites(JUDGED_ON)
        preset = PRESETS["scratch"]
        window = replace(preset.network.window, side_px=_QUICK_PX) if quick else preset.network.window
        self.settings = replace(preset.network, window=window)
        self.training = replace(preset.train, steps=steps, seed=seed, evaluate_every=steps, val_samples=12, ema=0.98)

    def judged(self, kind: str, fraction: float = 1.0) -> dict:
        """A row of a kind of data and of the fraction of its scenes; made where it is not there yet."""
        name = f"{kind}-{fraction:.0%}"
        found: dict = once(self.folder / name / "judged.json", lambda: self._judged(name, kind, fraction))
        return found

    def _judged(self, name: str, kind: str, fraction: float) -> dict:
        first = self._trained("first", self._frames(), self.training, None)
        again = replace(self.training, lr=_LR_AGAIN)
        weights = self._trained(name, self._data_of(kind, fraction), again, first)
        return judged(weights, self.judged_on, self.data, QUICK_FRAMES if self.quick else FRAMES)

    def _trained(self, name: str, data: Splits, training, start: Path | None) -> Path:
        folder = self.folder / name
        if not (folder / SPEC.trained).exists():
            network = Walt3d(self.settings)
            network.initialise(self.seed)
            if start is not None:
                network.start_from(read_weights(start)[0], start)
            train_recipe(Recipe(network, data, SPEC.config(self.settings) | {"study": name}), training, folder)
        return folder / SPEC.trained

    def _frames(self) -> Splits:
        cameras = [(site.demand("IngestFrames", self.data), *site.calibrated(self.data)) for site in self.learnt_from]
        return Splits(*(self._windows(LabelledFrames(cameras, split), MASKS[0], split) for split in Splits._fields))

    def _data_of(self, kind: str, fraction: float) -> Splits:
        if kind == "modal":
            return self._frames()
        folders = [_composed(site, self.data, kind) for site in self.learnt_from]
        train, val = (Scenes(folders, split) for split in Splits._fields)
        return Splits(self._windows(train.spread(fraction), MASKS[1], "train"), self._windows(val, MASKS[1], "val"))

    def _windows(self, scenes, masks: str, split: str) -> Windows:
        return Windows(scenes, self.settings, self.seed, masks, augment=split == "train")


@cache
def _composed(site: Site, data: Path, kind: str) -> Path:
    """The shards of a kind of clip-art of a camera."""
    if kind == "sparse":
        return site.demand("GenerateClipArt", data, *site.options, *IN_THE_OPEN) / "clipart_sparse"
    return clipart_dir(site.job(data, kind), kind)


def judged(weights: Path, cameras: Sequence[Site], data: Path, most: int) -> dict:
    """One row of a network on frames of cameras that it has not seen, at most so many of each."""
    predictor = load(SPEC, weights, "cpu", least=0.0, bodies=False)
    pages: list[Page] = []
    for site in cameras:
        scenes = TrueFrames(site.demand("IngestFrames", data), *site.calibrated(data))
        for number in np.unique(np.linspace(0, len(scenes) - 1, most).round().astype(int)).tolist():
            scene = scenes[number]
            (found,) = predictor.of_frames([frame_of_scene(scene)])
            pages.append(of_large(page_of(scene, found), scene))
    marks = Judged([p.wanted for p in pages], [p.found for p in pages], [p.size_hw for p in pages])
    row: dict = {"large AP50": marks.precision(size=SIZES["large"])["AP50"]}
    for name, band in BANDS.items():
        of_masks, of_boxes = marks.precision(band=band), marks.precision("bbox", band=band)
        row |= {
            f"{name} objects": of_masks["count"], f"{name} AP": of_masks["AP"], f"{name} AP50": of_masks["AP50"],
            f"{name} recall": of_masks["recall"], f"{name} AP boxes": of_boxes["AP"],
        }  # fmt: skip
    return row | {"over 40 % IoU hidden": hidden_overlap(pages, 0.4), "PCK hidden points": hidden_points(pages)}


def hidden_overlap(pages: Sequence[Page], least: float) -> float:
    """Mean IoU of the hidden part of all objects of which more than `least` is hidden; what is missed has 0."""
    values = []
    for page in pages:
        overlap = dict(zip(np.flatnonzero(page.pairs >= 0).tolist(), page.overlaps["hidden"].tolist(), strict=True))
        asked = [k for k, one in enumerate(page.wanted) if not one.ignored and one.hidden > least]
        values += [np.nan_to_num(overlap.get(k, 0.0)) for k in asked]
    return float(np.mean(values)) if values else float("nan")


def hidden_points(pages: Sequence[Page]) -> float:
    """PCK@0.1 of the keypoints that others hide, of all objects; those of a missed object are wrong."""
    right, count = 0, 0
    for page in pages:
        for k, thing in enumerate(page.things):
            points = len(OF_CATEGORY[CLASSES[thing.number]])
            asked = (thing.states[:points] == _OCCLUDED) & np.isfinite(thing.keypoints[:points]).all(axis=1)
            if page.wanted[k].ignored or not asked.any():
                continue
            count += int(asked.sum())
            if page.pairs[k] >= 0:
                off = page.objects["keypoints_2d"][page.pairs[k]][:points] - thing.keypoints[:points]
                near = np.linalg.norm(off, axis=1) <= PCK_FRACTION * max(thing.box_xywh[2:])
                right += int((near & asked).sum())
    return right / count if count else float("nan")


def summed(kind: str, fraction: float, rows: Sequence[dict]) -> dict:
    """Mean of the seeds' rows, and the deviation of what has bars."""
    return {"learnt from": kind, "scenes": fraction, "seeds": len(rows), **mean_of(rows, _SPREAD)}


def report(quick: bool, data: Path, only: str | None, seeds: int, steps: int) -> Report:
    """All rows asked for, and the bars on those that are there."""
    studies = [Study(data, seed, QUICK_STEPS if quick else steps, quick=quick) for seed in range(1 if quick else seeds)]
    asked = list(_asked(only))
    rows = [summed(kind, part, [study.judged(kind, part) for study in studies]) for kind, part in asked]
    if not quick:
        _draw(rows)
    return Report(rows, list(_bars({(row["learnt from"], row["scenes"]): row for row in rows})))


def _asked(only: str | None) -> Iterator[tuple[str, float]]:
    yield from ((kind, 1.0) for kind in KINDS if only in (None, "kinds"))
    if only in (None, "scenes"):
        yield from ((kind, part) for kind in ("walt2d_released", "walt3d") for part in FRACTIONS)


def _bars(rows: dict[tuple[str, float], dict]) -> Iterator[Bar]:
    def gained(name: str, over: str, part: float = 1.0) -> float:
        return 100 * (rows["walt3d", part][name] - rows[over, part][name])

    if ("walt3d", 1.0) in rows:
        yield Bar("AP over modal where more than 40 % is hidden", gained("over 40 % AP", "modal"), at_least=10)
        yield Bar("AP under modal in the open", -gained("below 10 % AP", "modal"), at_most=1)
        yield Bar("AP over sparse where more than 40 % is hidden", gained("over 40 % AP", "sparse"), at_least=5)
        yield Bar("IoU of the hidden part over sparse", gained("over 40 % IoU hidden", "sparse"), at_least=10)
        yield Bar("PCK of hidden points over modal", gained("PCK hidden points", "modal"), at_least=20)
    for part in FRACTIONS[:2]:
        if ("walt3d", part) in rows:
            gain = gained("over 40 % AP", "walt2d_released", part)
            yield Bar(f"AP over walt2d_released at {part:.0%} of the scenes", gain, at_least=3)


def _draw(rows: Sequence[dict]) -> None:
    """Figure 6, precision by what is hidden, and Figure 8, by the scenes."""
    by_band = {
        row["learnt from"]: (list(BANDS), [row[f"{band} AP"] for band in BANDS]) for row in rows if row["scenes"] == 1
    }
    by_scenes = {}
    for kind in ("walt2d_released", "walt3d"):
        mine = sorted((row["scenes"], row["over 40 % AP"]) for row in rows if row["learnt from"] == kind)
        by_scenes[kind] = [f"{part:.0%}" for part, _ in mine], [value for _, value in mine]
    panels = {f"how much is hidden, objects from {LEAST_PX} px": by_band, "share of the scenes": by_scenes}
    plot_curves(panels, "AP of whole masks", OUT / "walt3d_study.png")


if __name__ == "__main__":
    main(
        "walt3d_study",
        __doc__,
        report,
        parts=PARTS,
        numbers={"seeds": (3, "runs of each row"), "steps": (STEPS, "of each half of a run")},
    )
