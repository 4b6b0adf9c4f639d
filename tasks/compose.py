"""ComposeShards: a block of shards of composed scenes. GenerateClipArt: all of them, their manifest and the gallery."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import luigi

from pipeline.composition.hidden_fraction import parse_wanted, plain
from pipeline.composition.manifest import build_manifest, of_one_data_set
from pipeline.composition.sample import ComposeSettings, TooFewCutouts
from pipeline.composition.shard_files import holds_scenes
from pipeline.composition.shards import ShardJob, compose_shard
from pipeline.core.engine import ShardError
from pipeline.core.storage import data_set_of, read_table, write_json
from pipeline.core.tables import MODES
from pipeline.gallery.page import gallery_files, gallery_jobs, write_page
from pipeline.gallery.scenes import GallerySettings, write_scenes
from pipeline.self_calibration.sizes import read_tracks, sentence_of
from readers.texts import expanded
from tasks.common.console import Report
from tasks.common.records import DONE, read_record
from tasks.common.stage import Stage
from tasks.common.variants import MANIFEST, SETTINGS, DataSet, chosen_name
from tasks.cutouts import SHEET, ShowCutouts
from tasks.frames import INDEX
from tasks.reconstruct import ReconstructPeople, ReconstructVehicles
from tasks.track import TRACKS

_SHARDS_PER_BLOCK = 64
GALLERY = "gallery.html"


class OfClipArt(Stage):
    """What the two have in common: which data set it is."""

    version = 8
    mode = luigi.ChoiceParameter(choices=MODES, default=MODES[0], description="how scenes are ordered in depth")
    seed = luigi.IntParameter(default=0, description="seed of the data set; the same seed gives the same bytes")
    scenes = luigi.IntParameter(default=240, description="scenes to compose")
    scenes_per_shard = luigi.IntParameter(default=60, description="scenes in one pair of Parquet files")
    variant = luigi.Parameter(default="", description="name of the data set, else made of mode and seed")

    @cached_property
    def data_set(self) -> DataSet:
        """Where it lies."""
        return DataSet(self.folder, chosen_name(self.variant, self.mode, self.seed))

    @property
    def name(self) -> str:
        """Each data set has its own record."""
        return f"{self.kind}-{self.data_set.name}"

    def depends_on(self) -> Any:
        """The data set's own parameters, and the calibration."""
        if self.scenes < 1 or self.scenes_per_shard < 1:
            raise ValueError(
                f"scenes and scenes-per-shard: expected at least 1, got {self.scenes}, {self.scenes_per_shard}"
            )
        return {
            "calibration": self.entry.calibration_identity(),
            "mode": self.mode,
            "seed": self.seed,
            "scenes": self.scenes,
            "scenes_per_shard": self.scenes_per_shard,
        }

    @property
    def body_file(self) -> Path | None:
        """The user's own body model, where people are of it."""
        given = self.clone(ReconstructPeople).settings.metric.body_model
        return expanded(given, "body_model").resolve() if given else None

    @property
    def sizes(self) -> list[int]:
        """Scenes of each shard."""
        whole, rest = divmod(self.scenes, self.scenes_per_shard)
        return [self.scenes_per_shard] * whole + ([rest] if rest else [])

    def jobs(self, settings: ComposeSettings) -> list[ShardJob]:
        """All shards of the data set, as cutouts, backgrounds and settings are now."""
        camera, plane = self.calibrated(read_table(self.folder / INDEX, columns=["height", "width"]))
        return of_one_data_set(
            [
                ShardJob(
                    camera_id=self.camera,
                    camera_dir=self.folder,
                    out_dir=self.data_set.folder,
                    camera=camera,
                    plane=plane,
                    seed=self.seed,
                    shard=number,
                    shards=len(self.sizes),
                    scenes=scenes,
                    first=number * self.scenes_per_shard,
                    mode=self.mode,
                    settings=settings,
                    body_file=self.body_file,
                    variant=self.data_set.name,
                )
                for number, scenes in enumerate(self.sizes)
            ]
        )


class ComposeShards(OfClipArt, settings=ComposeSettings):
    """A block of shards, each a pair of files."""

    block = luigi.IntParameter(default=0, description="number of the block")
    unit = "shards"

    @property
    def name(self) -> str:
        """Each block has its own lock."""
        return f"{super().name}-{self.block:03d}"

    def requires(self) -> list[luigi.Task]:
        """Cutouts with their place in the world, and the page that shows them should composing fail."""
        return [self.clone(ReconstructVehicles), self.clone(ReconstructPeople), self.clone(ShowCutouts)]

    @property
    def numbers(self) -> range:
        """Shards of this block."""
        first = self.block * _SHARDS_PER_BLOCK
        return range(first, min(first + _SHARDS_PER_BLOCK, len(self.sizes)))

    def output(self) -> luigi.LocalTarget:
        """What says whose shards these are, for luigi's pages; `complete` looks for each."""
        return luigi.LocalTarget(str(self.data_set.folder / SETTINGS))

    @property
    def paths(self) -> list[Path]:
        """The block's shards, there or not."""
        names = [f"part-{number:05d}-of-{len(self.sizes):05d}.parquet" for number in self.numbers]
        return [self.data_set.folder / kind / name for kind in ("images", "objects") for name in names]

    def complete(self) -> bool:
        """Whether all of them are there; a data set of other settings in their place is told by GenerateClipArt."""
        return self.done()

    def done(self) -> bool:
        """The folder is of this data set, and they are there."""
        if self.data_set.settings.get("fingerprint") != self.fingerprint:
            return False
        found = read_record(self.record)
        if found is None or not self._is_mine(found) or found.state != DONE:
            return all(path.exists() for path in self.paths) and self.data_set.whole
        return not found.damage(self.folder, self.paths)

    def _in_the_way(self) -> bool:
        """Never: whose the folder is, the data set itself says."""
        return False

    def half_written(self) -> list[Path]:
        """Of this block's shards."""
        return [part for path in self.paths if (part := path.with_name(f".{path.name}.part")).exists()]

    def claim(self) -> dict[str, Any]:
        """What the data set's folder says of it from its first shard on."""
        own = {key: getattr(self, key) for key in ("mode", "seed", "scenes", "scenes_per_shard")}
        return {"fingerprint": self.fingerprint, "made_of": self.made_of, "options": self.options, **own}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """In a folder that no data set of other settings has."""
        with super()._locked(), self.data_set.claimed(self.claim(), self.entry.path):
            yield

    def files(self) -> list[Path]:
        """The block's shards that are there."""
        return [path for path in self.paths if path.is_file()]

    def _begin(self) -> None:
        """Remove what is half written or damaged; shards that no record lists are looked into."""
        for part in self.half_written():
            part.unlink()
        found = read_record(self.record)
        if found is not None and self._is_mine(found) and found.state == DONE:
            return self.discard(list(found.damage(self.folder, self.files())))
        scenes = dict(zip(self.paths, [self.sizes[number] for number in self.numbers] * 2, strict=True))
        self.discard([path for path in self.files() if not holds_scenes(path, scenes[path])])

    def work(self, report: Report) -> str:
        """One shard each."""
        jobs = [job for job in self.jobs(self.settings) if job.shard in self.numbers]
        try:
            self.fan_out(compose_shard, jobs, lambda job: job.done, report)
        except ShardError as error:
            if not error.any_is(TooFewCutouts):
                raise
            sheet = self.folder / SHEET
            raise ValueError(f"{error}; {sheet} shows the cutouts there are, and why others were refused") from error
        return f"{sum(job.scenes for job in jobs)} scenes in {len(jobs)} shards"


@dataclass(frozen=True)
class GenerateSettings:
    """What is made of the shards beside the shards."""

    gallery: GallerySettings = field(default_factory=GallerySettings)


class GenerateClipArt(OfClipArt, settings=GenerateSettings):
    """The whole job: frames to shards, their manifest, a gallery to look at."""

    settable = ("mode", "seed", "scenes", "scenes_per_shard")
    unit = "shards of the gallery"

    def requires(self) -> list[luigi.Task]:
        """All blocks."""
        return [self.clone(ComposeShards, block=n) for n in range(-(-len(self.sizes) // _SHARDS_PER_BLOCK))]

    @property
    def shards(self) -> ComposeShards:
        """The first of the blocks, which all have the same settings."""
        return self.clone(ComposeShards, block=0)

    def complete(self) -> bool:
        """Whether all is there. Raises ValueError where another data set has the folder."""
        if not self.data_set.fits(self.shards.fingerprint):
            raise ValueError(self.data_set.refusal(self.shards.made_of, self.entry.path))
        if self._in_the_way() and not any(task._in_the_way() for task in self.upstream):
            raise ValueError(self._refusal())
        return self.done()

    def done(self) -> bool:
        """What describes the data set is whole, and so are its shards; what they were made from may be gone."""
        return super().done() and self.data_set.whole

    def discard(self, damaged: Sequence[Path]) -> None:
        """Of the gallery's scenes the folder of a shard, which is filled at once or not at all."""
        super().discard(damaged)
        for folder in {path.parent for path in damaged if path.suffix == ".js"}:
            shutil.rmtree(folder, ignore_errors=True)

    def files(self) -> list[Path]:
        """The manifest and the gallery."""
        page = self.data_set.folder / GALLERY
        return [*(p for p in (page.with_name(MANIFEST), page) if p.is_file()), *gallery_files(page, hidden=False)]

    def leftovers(self) -> list[Path]:
        """The gallery; what describes the data set stays until it is written again."""
        return [path for path in self.files() if path.name != MANIFEST]

    def half_written(self) -> list[Path]:
        """Of the manifest and the gallery."""
        return [
            *sorted(self.data_set.folder.glob(".*.part")),
            *gallery_files(self.data_set.folder / GALLERY, hidden=True),
        ]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """In a folder that no data set of other settings has."""
        with super()._locked(), self.data_set.claimed(self.shards.claim(), self.entry.path):
            yield

    def work(self, report: Report) -> str:
        """The gallery, then the manifest last: where it is, all the rest is."""
        out, shards = self.data_set.folder, self.jobs(self.shards.settings)
        data_set_of(out)  # what the gallery shows is of one data set
        jobs = gallery_jobs(out, out / GALLERY, self.settings.gallery, layers=self.folder, body_file=self.body_file)
        self.fan_out(write_scenes, jobs, lambda job: job.done, report)
        asked = plain(parse_wanted(self.shards.settings.hidden_fraction))
        write_page(out, out / GALLERY, self.settings.gallery, layers=self.folder, asked=asked)
        manifest = build_manifest(shards)
        write_json(out / MANIFEST, manifest | {"made_of": self.shards.made_of})
        self.tell_where()
        told = sentence_of(read_tracks(self.folder / TRACKS), shards[0].camera, shards[0].plane)
        report.say(f"calibration: {told}")
        short = f"; fell short: {manifest['shortfall']}" if manifest["shortfall"] else ""
        return f"{self.scenes} scenes, {_validating(manifest['statistics']['splits'])}{short}"

    def tell_where(self) -> None:
        """What the user came for."""
        out = self.data_set.folder
        print(f"shards:  {out / 'images'}\n         {out / 'objects'}\ngallery: {out / GALLERY}")
        print(f"cutouts: {self.folder / SHEET}", flush=True)


def _validating(splits: dict[str, Any]) -> str:
    """How many scenes are there to validate with, or why none is."""
    if splits["val"]["scenes"]:
        return f"{splits['val']['scenes']} of them to validate"
    return (
        f"none of them to validate: the last fifth of the time buckets holds {splits['val']['cutouts']} cutouts whose "
        "tracks begin there; a longer recording has more"
    )


@GenerateClipArt.event_handler(luigi.Event.DEPENDENCY_PRESENT)
def _already_there(task: luigi.Task) -> None:
    if isinstance(task, GenerateClipArt):
        task.tell_where()
