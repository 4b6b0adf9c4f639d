"""ComposeShards: a block of shards of composed scenes. GenerateClipArt: all of them, their manifest and the gallery."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import luigi
import pyarrow.parquet as pq

from pipeline.composition.hidden_fraction import parse_wanted, plain
from pipeline.composition.manifest import build_manifest
from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shards import ShardJob, compose_shard
from pipeline.core.engine import ShardError
from pipeline.core.storage import write_json
from pipeline.core.tables import MODES
from pipeline.gallery.page import gallery_jobs, write_page
from pipeline.gallery.scenes import GallerySettings, write_scenes
from tasks.common.console import Report
from tasks.common.stage import Stage
from tasks.cutouts import SHEET, ShowCutouts
from tasks.frames import INDEX
from tasks.reconstruct import ReconstructPeople, ReconstructVehicles

_SHARDS_PER_BLOCK = 64
MANIFEST, GALLERY = "clipart_manifest.json", "gallery.html"


class OfClipArt(Stage):
    """What the two have in common: which data set it is."""

    version = 5
    mode = luigi.ChoiceParameter(choices=MODES, default=MODES[0], description="how scenes are ordered in depth")
    seed = luigi.IntParameter(default=0, description="seed of the data set; the same seed gives the same bytes")
    scenes = luigi.IntParameter(default=240, description="scenes to compose")
    scenes_per_shard = luigi.IntParameter(default=60, description="scenes in one pair of Parquet files")

    @property
    def product(self) -> str:
        """Folder of the data set below the camera's."""
        return "clipart" if self.mode == MODES[0] else f"clipart_{self.mode}"

    @property
    def name(self) -> str:
        """Each mode has its own record."""
        return f"{self.task_family}-{self.mode}"

    def depends_on(self) -> Any:
        """The data set's own parameters, and the calibration."""
        if self.scenes < 1 or self.scenes_per_shard < 1:
            raise ValueError(
                f"scenes and scenes-per-shard: expected at least 1, got {self.scenes}, {self.scenes_per_shard}"
            )
        calibration = self.entry.manifest.model_dump(mode="json")["calibration"]
        return {
            "calibration": calibration,
            "mode": self.mode,
            "seed": self.seed,
            "scenes": self.scenes,
            "scenes_per_shard": self.scenes_per_shard,
        }

    @property
    def body_file(self) -> Path | None:
        """The user's own body model, where people are of it."""
        given = self.clone(ReconstructPeople).settings.metric.body_model
        return Path(given).expanduser().resolve() if given else None

    @property
    def sizes(self) -> list[int]:
        """Scenes of each shard."""
        whole, rest = divmod(self.scenes, self.scenes_per_shard)
        return [self.scenes_per_shard] * whole + ([rest] if rest else [])

    def jobs(self, settings: ComposeSettings) -> list[ShardJob]:
        """All shards of the data set."""
        camera, plane = self.calibrated(pq.read_table(self.folder / INDEX, columns=["height", "width"]))
        return [
            ShardJob(
                camera_id=self.camera,
                camera_dir=self.folder,
                out_dir=self.folder / self.product,
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
            )
            for number, scenes in enumerate(self.sizes)
        ]


class ComposeShards(OfClipArt, settings=ComposeSettings):
    """A block of shards, each a pair of files."""

    block = luigi.IntParameter(default=0, description="number of the block")
    unit = "shards"

    @property
    def name(self) -> str:
        """Each block has its own record."""
        return f"{super().name}-{self.block:03d}"

    def requires(self) -> list[luigi.Task]:
        """Cutouts with their place in the world, and the page that shows them should composing fail."""
        return [self.clone(ReconstructVehicles), self.clone(ReconstructPeople), self.clone(ShowCutouts)]

    @property
    def numbers(self) -> range:
        """Shards of this block."""
        first = self.block * _SHARDS_PER_BLOCK
        return range(first, min(first + _SHARDS_PER_BLOCK, len(self.sizes)))

    def files(self) -> list[Path]:
        """The block's shards that are there."""
        names = [f"part-{number:05d}-of-{len(self.sizes):05d}.parquet" for number in self.numbers]
        paths = [self.folder / self.product / kind / name for kind in ("images", "objects") for name in names]
        return [path for path in paths if path.is_file()]

    def leftovers(self) -> list[Path]:
        """Also shards of a data set of another size, and what described the data set as it was."""
        out = self.folder / self.product
        other = [p for p in out.glob("*/part-*.parquet") if not p.name.endswith(f"-of-{len(self.sizes):05d}.parquet")]
        return [*self.files(), *other, *_described(out)]

    def half_written(self) -> list[Path]:
        """Of this data set's shards."""
        return sorted((self.folder / self.product).glob("*/.part-*.parquet.part"))

    def work(self, report: Report) -> str:
        """One shard each."""
        jobs = [job for job in self.jobs(self.settings) if job.shard in self.numbers]
        try:
            self.fan_out(compose_shard, jobs, lambda job: job.done, report)
        except ShardError as error:
            if "too few cutouts" not in str(error):
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

    unit = "shards of the gallery"

    def requires(self) -> list[luigi.Task]:
        """All blocks."""
        blocks = -(-len(self.sizes) // _SHARDS_PER_BLOCK)
        return [self.clone(ComposeShards, block=block) for block in range(blocks)]

    def files(self) -> list[Path]:
        """The manifest and the gallery."""
        return _described(self.folder / self.product)

    def half_written(self) -> list[Path]:
        """Of the manifest and the gallery."""
        return sorted((self.folder / self.product).glob(".*.part"))

    def work(self, report: Report) -> str:
        """The gallery, then the manifest last: where it is, all the rest is."""
        out = self.folder / self.product
        jobs = gallery_jobs(out, out / GALLERY, self.settings.gallery, layers=self.folder, body_file=self.body_file)
        self.fan_out(write_scenes, jobs, lambda job: job.done, report)
        blocks: list[Any] = self.requires()
        composed = blocks[0].settings
        asked = plain(parse_wanted(composed.hidden_fraction))
        write_page(out, out / GALLERY, self.settings.gallery, layers=self.folder, asked=asked)
        manifest = build_manifest(self.jobs(composed))
        write_json(out / MANIFEST, manifest)
        self.tell_where()
        short = f"; fell short: {manifest['shortfall']}" if manifest["shortfall"] else ""
        return f"{self.scenes} scenes, {_validating(manifest['statistics']['splits'])}{short}"

    def tell_where(self) -> None:
        """What the user came for."""
        out = self.folder / self.product
        print(f"shards:  {out / 'images'}\n         {out / 'objects'}\ngallery: {out / GALLERY}")
        print(f"cutouts: {self.folder / SHEET}", flush=True)


def _described(out: Path) -> list[Path]:
    """The manifest of a data set, and its gallery: the page and the files beside it."""
    paths = (out / MANIFEST, out / GALLERY, *sorted((out / GALLERY).with_suffix("").rglob("*")))
    return [path for path in paths if path.is_file()]


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
