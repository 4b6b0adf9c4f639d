"""MineUnoccluded: crop the objects that nothing hides, and say why each of the others was refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import luigi

from models.contract import find
from models.matting.predict import WEIGHTS
from pipeline.core.engine import Progress
from pipeline.core.frames import StreetJob, read_backgrounds
from pipeline.core.storage import read_parts, read_table, write_bytes, write_json, write_table
from pipeline.empty_frames import FOLDER as EMPTY_FRAMES
from pipeline.empty_frames import EmptyFramesJob, empty_frames_shard
from pipeline.gallery.cutout_sheet import write_cutout_sheet
from pipeline.mining.background_evidence import evidence_shard
from pipeline.mining.classifier_gate import NETWORK, GateJob, gate_shard
from pipeline.mining.cutouts import CropJob, CutoutSettings, crop_shard
from pipeline.mining.exact_masks import exact_masks_shard
from pipeline.mining.filter import REASONS, MiningSettings, candidates, decide
from tasks.common.console import Report
from tasks.common.contents import digest
from tasks.common.settings import collect, declare
from tasks.common.stage import Stage
from tasks.frames import COMPARED
from tasks.track import TRACKS, EmptyStreet

CUTOUTS = "cutouts"
REPORT = "mining_report.json"
EXACT_PARTS, EXACT_TRACKS = "mining/exact", "mining/tracks.parquet"
EVIDENCE = "mining/backdrop"
UNOCCLUDED = "mining/unoccluded"
CANDIDATES = "mining/candidates.parquet"
ACCEPTED, REFUSED = "mining/accepted.parquet", "mining/refused.parquet"
SHEET_OF_NONE = "mining/refusals.html"  # where there is no cutout, hence no ShowCutouts
OCCLUDERS = "mining/static_occluders.png"
_FRAMES_PER_PART = 100


@dataclass(frozen=True)
class MineSettings:
    """What is accepted, and what of it is kept."""

    mining: MiningSettings
    cutouts: CutoutSettings


class MineUnoccluded(Stage, settings=MiningSettings):
    """Decide on every detection, then crop the accepted ones from their frames."""

    version = 9
    outputs = (
        f"{EXACT_PARTS}/part-*.parquet", EXACT_TRACKS, f"{EVIDENCE}/part-*.parquet",
        f"{UNOCCLUDED}/part-*.parquet", f"{CUTOUTS}/part-*.parquet",
        f"{EMPTY_FRAMES}/*.npy", CANDIDATES, ACCEPTED, REFUSED, OCCLUDERS, REPORT, SHEET_OF_NONE,
    )  # fmt: skip
    unit = "blocks of frames"

    def requires(self) -> luigi.Task:
        """The tracks, by way of the street without them."""
        return self.clone(EmptyStreet)

    def configure(self) -> MineSettings:
        """Both stages' settings under one section."""
        return MineSettings(collect(self, MiningSettings), collect(self, CutoutSettings))

    def depends_on(self) -> Any:
        """The calibration, where an object counts as truncated, and the networks that are asked."""
        manifest = self.entry.manifest.model_dump(mode="json")
        networks = {"matting": digest(WEIGHTS)}
        if self._gated:
            networks[NETWORK] = digest(find(NETWORK).shipped)
        parts = {"calibration": self.entry.calibration_identity(), "roi": manifest["roi"], "ignore": manifest["ignore"]}
        return parts | networks

    @property
    def _gated(self) -> bool:
        return self.settings.mining.asks_classifier

    def work(self, report: Report) -> str:
        """Exact masks, background evidence and the classifier's prediction for each, the decisions, then the crops."""
        blocks, emptied = self.unit, report.part(0.95, 1, "buckets")
        if self.settings.cutouts.refine:
            part = report.part(0, 0.3, blocks)
            self.fan_out(exact_masks_shard, self._exact_jobs(), lambda job: job.out.exists(), part)
            write_table(self.folder / EXACT_TRACKS, read_parts(self.folder / EXACT_PARTS))
        part = report.part(0.3, 0.5, blocks)
        self.fan_out(evidence_shard, self._street_jobs(EVIDENCE), lambda job: job.out.exists(), part)
        if self._gated:
            self._find_candidates()
            self.fan_out(gate_shard, self._gate_jobs(), lambda job: job.out.exists(), report.part(0.5, 0.65, blocks))
        found = self._decide(report.part(0.65, 0.7, "tracks"))
        if not found["cutouts"]:
            sheet = write_cutout_sheet(self.camera, self.folder, self.folder / SHEET_OF_NONE)
            raise ValueError(nothing_found(self.camera, found, self.folder / REPORT, sheet))
        self.fan_out(crop_shard, self._crop_jobs(), lambda job: job.out.exists(), report.part(0.7, 0.95, blocks))
        self.fan_out(empty_frames_shard, self._empty_frames_jobs(), lambda job: job.out.exists(), emptied)
        return f"{found['cutouts']} cutouts of {found['tracks_with_cutout']} tracks"

    @property
    def _tracks(self) -> Path:
        """TRACKS that are decided on."""
        return self.folder / (EXACT_TRACKS if self.settings.cutouts.refine else TRACKS)

    def _find_candidates(self) -> None:
        """Write which detections the classifier is asked about."""
        camera, plane = self.calibrated(read_table(self.folder / COMPARED, columns=["height", "width"]))
        tracks, ignored = read_table(self._tracks), self.entry.ignored(camera.size_hw)
        found = candidates(tracks, camera, plane, self.settings.mining, ignored)
        write_table(self.folder / CANDIDATES, found)

    def _decide(self, progress: Progress) -> dict[str, Any]:
        tracks, frames = read_table(self._tracks), read_table(self.folder / COMPARED)
        camera, plane = self.calibrated(frames)
        ignored = self.entry.ignored(camera.size_hw)
        evidence = read_parts(self.folder / EVIDENCE)
        decision = decide(
            tracks, camera, plane, self.settings.mining, ignore=ignored, evidence=evidence,
            unoccluded=read_parts(self.folder / UNOCCLUDED) if self._gated else None, progress=progress,
        )  # fmt: skip
        found = decision.report | {"settings": asdict(self.settings.mining), "reasons": REASONS}
        write_json(self.folder / REPORT, found)
        write_table(self.folder / ACCEPTED, decision.accepted)
        write_table(self.folder / REFUSED, decision.refused)
        background = next(iter(read_backgrounds(self.folder / "background").values()))
        picture = cv2.imencode(".png", decision.occluders.picture(background))[1].tobytes()
        write_bytes(self.folder / OCCLUDERS, picture)
        return found

    def _blocks(self, out: str) -> Iterator[dict[str, Any]]:
        """What a `BlockJob` of each block of frames needs, its rows to go to a folder."""
        ids = read_table(self.folder / COMPARED, columns=["frame_id"])["frame_id"].to_pylist()
        for number, start in enumerate(range(0, len(ids), _FRAMES_PER_PART)):
            name = f"part-{number:05d}"
            yield {
                "name": name,
                "frame_ids": ids[start : start + _FRAMES_PER_PART],
                "index": self.folder / COMPARED,
                "root": self.folder,
                "tracks": self._tracks,
                "out": self.folder / out / f"{name}.parquet",
            }

    def _exact_jobs(self) -> list[StreetJob]:
        return [replace(job, tracks=self.folder / TRACKS) for job in self._street_jobs(EXACT_PARTS)]

    def _street_jobs(self, out: str) -> list[StreetJob]:
        return [StreetJob(**block, backgrounds=self.folder / "background") for block in self._blocks(out)]

    def _gate_jobs(self) -> list[GateJob]:
        return [GateJob(**block, candidates=self.folder / CANDIDATES) for block in self._blocks(UNOCCLUDED)]

    def _crop_jobs(self) -> list[CropJob]:
        camera, plane = self.calibrated(read_table(self.folder / COMPARED, columns=["height", "width"]))
        return [
            CropJob(
                **block,
                backgrounds=self.folder / "background",
                accepted=self.folder / ACCEPTED,
                camera=camera,
                plane=plane,
                settings=self.settings.cutouts,
            )
            for block in self._blocks(CUTOUTS)
        ]

    def _empty_frames_jobs(self) -> list[EmptyFramesJob]:
        backgrounds = self.folder / "background"
        return [
            EmptyFramesJob(
                name=path.stem,
                index=self.folder / COMPARED,
                root=self.folder,
                backgrounds=backgrounds,
                tracks=self.folder / TRACKS,
                count=count,
                out=self.folder / EMPTY_FRAMES / f"{path.stem}.npy",
            )
            for path in sorted(backgrounds.glob("*.png"))
            if (count := self.settings.cutouts.empty_frames)
        ]


declare(MineUnoccluded, CutoutSettings)


def nothing_found(camera: str, found: dict[str, Any], report: Path, sheet: Path) -> str:
    """What to tell who gets no cutout at all."""
    refused = sorted(found["refused"].items(), key=lambda item: -item[1])
    reasons = ", ".join(f"{count} {reason} ({REASONS[reason]})" for reason, count in refused[:3] if count)
    why = f"refused: {reasons}" if reasons else "there is nothing to crop"
    return (
        f"camera {camera}: no cutouts among {found['detections']} detections; {why}. "
        f"All reasons are in {report}, pictures of them in {sheet}; "
        "look at ShowCalibration first, then at [MineUnoccluded] in luigi.cfg"
    )
