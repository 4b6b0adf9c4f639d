"""IngestFrames: index a camera's frames; simulated ones are rendered first. MedianBackground: their medians, and which
frames these are of."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi
import pyarrow as pa

from data_manifest import ImagesSource, SimulatedSource, VideoSource
from data_manifest.times import NameTimes, natural, utc_of
from pipeline.background import (
    BackgroundJob,
    BackgroundSettings,
    background_shard,
    left_out_in_words,
    with_statuses,
)
from pipeline.core.storage import read_table, write_table
from pipeline.core.video import Anchor
from pipeline.ingest import FoundFrame, IngestSettings, find_images, find_in_videos, in_words, index_table, moved
from pipeline.ingest.clock import moments_of
from pipeline.simulate.bursts import BurstJob, burst_shard
from tasks.common.console import Report, say
from tasks.common.contents import contents, remember
from tasks.common.locks import lock
from tasks.common.stage import Stage

if TYPE_CHECKING:
    from pipeline.simulate import Simulation

INDEX = "frames/index.parquet"
MEDIANS = "median"
COMPARED = f"{MEDIANS}/index.parquet"  # the FRAMES table again, with the statuses of frames unlike their medians


class IngestFrames(Stage, settings=IngestSettings):
    """Which frames there are, when they were taken, which of them can be read."""

    outputs = (INDEX, "frames/images/*.jpg", "truth/*.parquet")
    unit = "frames"

    def depends_on(self) -> Any:
        """The source, the buckets, and for a simulation the camera that it is rendered with.

        Of a recording its files' contents count, not where they lie; their names where these tell times.
        """
        manifest, source = self.entry.manifest, self.entry.manifest.source
        parts: dict[str, Any] = {
            "source": source.model_dump(mode="json", exclude_none=True, exclude={"path", "folder"}),
            "buckets": manifest.model_dump(mode="json")["buckets"],
        }
        if isinstance(source, SimulatedSource):
            parts["calibration"] = self.entry.calibration_identity()
        else:
            parts["files"] = contents(self._named(), self._remembered)
        return parts

    @property
    def _remembered(self) -> Path:
        return self.record.with_suffix(".files.json")

    def _named(self) -> list[tuple[str, Path]]:
        """The recording's files, with what of their names counts."""
        source, files = self.entry.manifest.source, self.entry.recorded_files()
        if isinstance(source, ImagesSource):
            above = self.entry.resolve(source.folder)
            return [(str(path.relative_to(above)), path) for path in files]
        depth = source.time_pattern.count("/") + 1 if isinstance(source, VideoSource) and source.time_pattern else 0
        return [("/".join(path.parts[-depth:]) if depth else "", path) for path in files]

    def settle(self) -> None:
        """Follow a recording that was moved: its frames are the same, only the index says another place."""
        files = [str(path) for path in self.entry.recorded_files()]
        if not files or not self.done():
            return
        remember(self._named(), self._remembered)
        index = read_table(self.folder / INDEX)
        known = sorted(set(index["source"].to_pylist()), key=lambda source: natural(Path(source)))
        if not set(known) <= set(files) and len(known) == len(files):
            with lock(self.lock, lambda: self._waits(self)):
                write_table(self.folder / INDEX, moved(index, dict(zip(known, files, strict=True))))
                self._end()

    def work(self, report: Report) -> str:
        """Render or find the frames, then write the index."""
        source = self.entry.manifest.source
        if isinstance(source, SimulatedSource):
            table = self._simulated(source, report)
        elif isinstance(source, VideoSource):
            table = self._video(source, report)
        else:
            table = self._images(source, report)
        write_table(self.folder / INDEX, table)
        if not isinstance(source, SimulatedSource):
            remember(self._named(), self._remembered)
        return in_words(table)

    def _video(self, source: VideoSource, report: Report) -> pa.Table:
        paths, zone = self.entry.recorded_files(), self.entry.zone
        if source.start is not None:
            starts: list[datetime] = [utc_of(source.start, zone)]
        else:
            names, root = NameTimes(source.time_pattern or ""), self.entry.resolve(source.path).anchor
            starts = moments_of([p.relative_to(root) for p in paths], names, zone, report.say, str(source.path))
        how = {"first": source.first, "last": source.last, "zone": zone, "every": source.every, "fps": source.fps}
        found, anchors = find_in_videos(
            paths, starts, **how, max_gap_s=self.settings.max_gap_s, tell=report.say, progress=report
        )
        return self._index(found, str(self.entry.resolve(source.path)), anchors)

    def _images(self, source: ImagesSource, report: Report) -> pa.Table:
        folder = self.entry.resolve(source.folder)
        found = find_images(
            folder,
            source.glob,
            NameTimes(source.time_pattern) if source.time_pattern else None,
            self.entry.zone,
            start=source.start,
            fps=source.fps,
            every=source.every,
            engine=self.engine,
            cpus=self.processes,
            tell=report.say,
            progress=report,
        )
        return self._index(found, str(folder))

    def say(self, text: str) -> None:
        """A line of its own about the recording."""
        say(f"{self.camera} {self.name}", text)

    def _index(self, found: list[FoundFrame], what: str, anchors: dict[str, list[Anchor]] | None = None) -> pa.Table:
        return index_table(found, self.entry.bucket_of, self.settings, what=what, anchors=anchors, tell=self.say)

    def _simulated(self, source: SimulatedSource, report: Report) -> pa.Table:
        from pipeline.simulate import plan_bursts  # its ray caster loads for a second

        size_hw = source.size_wh[1], source.size_wh[0]
        simulation, (camera, plane) = simulation_of(source), self.entry.calibrated(size_hw)
        bursts = plan_bursts(simulation, self.entry.zone)
        jobs = [BurstJob(simulation, camera, plane, burst, self.folder) for burst in bursts]
        each = len(bursts[0].frame_ids)
        self.fan_out(burst_shard, jobs, lambda job: job.truth.exists(), lambda n, of: report(n * each, of * each))
        bucket_of: dict[datetime, str] = {}
        found: list[FoundFrame] = []
        for burst in bursts:
            if found and burst.timestamps[0] <= found[-1].timestamp:
                raise ValueError(f"{self.entry.path}: source.buckets: {burst.bucket.name} starts before the last ends")
            for frame_id, moment in zip(burst.frame_ids, burst.timestamps, strict=True):
                bucket_of[moment] = burst.bucket.name
                found.append(FoundFrame(moment, f"frames/images/{frame_id:06d}.jpg", -1, size_hw))
        return index_table(found, bucket_of.get, self.settings, what=f"camera {self.camera}")


def simulation_of(source: SimulatedSource) -> Simulation:
    """The manifest's simulation as the simulator wants it."""
    from pipeline.simulate import BucketPlan, Simulation

    values = source.model_dump(exclude={"kind", "time_zone", "size_wh", "buckets", "fleet"})
    buckets = tuple(BucketPlan(b.name, b.start, b.cloud, b.wet) for b in source.buckets)
    return Simulation(**values, fleet=source.fleet, buckets=buckets)


class MedianBackground(Stage, settings=BackgroundSettings):
    """The median of every time bucket, in it what stood there for half of the time; and which frames are like it."""

    version = 3
    outputs = (f"{MEDIANS}/*.png", f"{MEDIANS}/*.json", COMPARED)
    unit = "buckets"

    def requires(self) -> luigi.Task:
        """The frames."""
        return self.clone(IngestFrames)

    def settle(self) -> None:
        """Follow a recording that was moved."""
        if self.done():
            found, compared = read_table(self.folder / INDEX), read_table(self.folder / COMPARED)
            if found["source"] != compared["source"]:
                with lock(self.lock, lambda: self._waits(self)):
                    self._write_compared(found)
                    self._end()

    def work(self, report: Report) -> str:
        """One shard for each bucket, then the frames' statuses."""
        index = read_table(self.folder / INDEX)
        names = sorted(set(index.filter(pa.compute.equal(index["status"], "ok"))["bucket"].to_pylist()))
        jobs = [self._job(name) for name in names]
        self.fan_out(background_shard, jobs, lambda job: job.picture.exists() and job.out.exists(), report)
        statuses = self._write_compared(index)
        made = [job.name for job in jobs if job.picture.exists()]
        left_out = left_out_in_words(statuses.values())
        if not made:
            raise ValueError(
                f"camera {self.camera}: {left_out}: no time bucket has a background. Does the camera move? "
                f"Shorter `buckets` in {self.entry.path} may help, or max_unlike under [MedianBackground] in luigi.cfg"
            )
        without = f"; none of {', '.join(sorted(set(names) - set(made)))}" if len(made) < len(names) else ""
        return f"{len(made)} medians: {', '.join(made)}{without}" + (f"; {left_out}" if left_out else "")

    def _job(self, name: str) -> BackgroundJob:
        medians = self.folder / MEDIANS
        return BackgroundJob(
            name=name,
            index=self.folder / INDEX,
            root=self.folder,
            picture=medians / f"{name}.png",
            out=medians / f"{name}.json",
            settings=self.settings,
        )

    def _write_compared(self, index: pa.Table) -> dict[int, str]:
        """Write the FRAMES table with what the buckets' shards say of its frames; what they say, by frame_id."""
        statuses: dict[int, str] = {}
        for path in sorted((self.folder / MEDIANS).glob("*.json")):
            statuses |= {int(frame_id): why for frame_id, why in json.loads(path.read_text()).items()}
        write_table(self.folder / COMPARED, with_statuses(index, statuses))
        return statuses
