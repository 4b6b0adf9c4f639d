"""Load a camera's manifest: strict, with one line for each mistake and nothing read beyond what it names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from pydantic import BaseModel, ValidationError

from calibration.camera import Camera, GroundPlane
from data_manifest.calibration import EXPECTED, FORMS, Form, checked, tag_of
from data_manifest.schema import ImagesSource, Manifest, Polygon, SimulatedSource, VideoSource
from data_manifest.times import TimeBucket, hour_bucket, natural
from readers.texts import check_text, expanded
from readers.yaml_file import read_yaml

_ROOT = Path(__file__).resolve().parents[1]
# None where a wheel put the packages into an environment, which is no place for files of users.
REPOSITORY = _ROOT if (_ROOT / "luigi.cfg").is_file() else None
CAMERAS = _ROOT / "data_manifest" / "cameras"
VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")
_TAGS = {*map(tag_of, FORMS), "simulated", "video", "images", "hourly", "named"}


class ManifestError(ValueError):
    """A mistake in a manifest, in one line that names the file and the key."""


@dataclass(frozen=True)
class CameraEntry:
    """A camera of the house: its id, the YAML it came from and what that says."""

    camera_id: str
    path: Path
    manifest: Manifest

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of its local wall clock."""
        return ZoneInfo(self.manifest.source.time_zone)

    def resolve(self, path: Path) -> Path:
        """A path of the manifest; relative ones belong to the YAML's folder."""
        return (self.path.parent / expanded(path, str(self.path))).resolve()

    def recorded_files(self) -> list[Path]:
        """The videos or images of the recording as people number them; none of a simulation."""
        source = self.manifest.source
        if isinstance(source, SimulatedSource):
            return []
        if isinstance(source, VideoSource):
            found = video_files(self.resolve(source.path))
        else:
            folder = self.resolve(source.folder)
            found = sorted((p for p in folder.glob(source.glob) if p.is_file()), key=natural)
        for path in found:
            check_text(str(path), f"{self.path}: source: a file whose name is not UTF-8; rename it")
        return found

    def calibrated(self, size_hw: tuple[int, int]) -> tuple[Camera, GroundPlane]:
        """Camera and ground plane for frames of size_hw.

        Raises ManifestError where the calibration is of images of another shape, or nothing could come of it.
        """
        return self._checked(size_hw)[:2]

    def doubts(self, size_hw: tuple[int, int]) -> list[str]:
        """What is implausible about the calibration for frames of size_hw, though it may be so: a sentence each."""
        return self._checked(size_hw)[2]

    def _checked(self, size_hw: tuple[int, int] | None) -> tuple[Camera, GroundPlane, list[str]]:
        form = self.form
        try:
            camera, plane, doubts = checked(form, size_hw, self.resolve)
        except ValueError as error:
            text = str(error) if str(error).startswith(str(self.path.parent)) else f"calibration: {error}"
            raise ManifestError(f"{_shown(self.path)}: {text}. {_look(self.camera_id)}") from None
        if size_hw is None or camera.size_hw == size_hw:
            return camera, plane, doubts
        scale = size_hw[0] / camera.size_hw[0]
        if abs(camera.size_hw[1] * scale - size_hw[1]) > 1:
            calibrated, frames = (f"{w}x{h}" for h, w in (camera.size_hw, size_hw))
            raise ManifestError(f"{self.path}: calibration: is for {calibrated} images, the frames are {frames}")
        resized = camera.resized(scale)
        return Camera(resized.K, size_hw, resized.distortion), plane, doubts

    @property
    def form(self) -> Form:
        """The calibration as it is written. Raises ManifestError where there is none."""
        if self.manifest.calibration is None:
            raise ManifestError(
                f"{_shown(self.path)}: calibration: missing. docs/calibration.md shows the ways to give one; "
                f"to find one: luigi --module tasks CalibrateFromPoints --camera {self.camera_id} --points CSV, or "
                f"CalibrateFromTraffic --camera {self.camera_id}"
            )
        return self.manifest.calibration

    def calibration_identity(self) -> dict[str, Any]:
        """What of the calibration results depend on: what is written, and what the files hold that it names."""
        form = self.form
        held = {key: sha256(self.resolve(path).read_bytes()).hexdigest()[:16] for key, path in form.named_files()}
        return form.model_dump(mode="json") | ({"files": held} if held else {})

    def bucket_of(self, moment: datetime) -> str | None:
        """Time bucket of a moment with a time zone; None outside all of them."""
        local = moment.astimezone(self.zone)
        if self.manifest.buckets == "hour":
            return hour_bucket(local)
        buckets = (TimeBucket(b.name, b.start, b.end) for b in self.manifest.buckets)
        return next((b.name for b in buckets if b.holds(local.time())), None)

    def ignored(self, size_hw: tuple[int, int]) -> np.ndarray | None:
        """(H, W) bool, True where nothing is to be detected; None where everything is."""
        if not self.manifest.roi and not self.manifest.ignore:
            return None
        for key in ("roi", "ignore"):
            for number, polygon in enumerate(getattr(self.manifest, key)):
                if not _filled([polygon], size_hw).any():
                    raise ManifestError(
                        f"{self.path}: {key}.{number}: expected a region on the frames, it lies off their "
                        f"{size_hw[1]}x{size_hw[0]} pixels"
                    )
        watched = _filled(self.manifest.roi, size_hw) if self.manifest.roi else np.ones(size_hw, bool)
        return ~watched | _filled(self.manifest.ignore, size_hw)


def _filled(polygons: Sequence[Polygon], size_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, True on any of them, their outlines included."""
    mask = np.zeros(size_hw, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32) for polygon in polygons], 1)
    return mask.astype(bool)


def video_files(path: Path) -> list[Path]:
    """A video itself, those of a folder, or those that a glob fits, as people number them."""
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in VIDEOS and not p.name.startswith(".")]
    else:
        fixed = next(parent for parent in path.parents if not set("*?[") & set(str(parent)))
        found = list(fixed.glob(str(path.relative_to(fixed))))
    return sorted((p for p in found if p.is_file()), key=natural)


def known_cameras(folder: Path = CAMERAS) -> list[str]:
    """Ids of the cameras that have a manifest."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_camera(camera_id: str, folder: Path = CAMERAS) -> CameraEntry:
    """The manifest `<folder>/<camera_id>.yaml`. Raises ManifestError: one line, naming the next thing to do."""
    if not re.fullmatch(r"[a-z0-9_-]+", camera_id):
        raise ManifestError(f"camera id: expected a-z, 0-9, _ and - only, got {camera_id!r}")
    path = folder / f"{camera_id}.yaml"
    if not path.is_file():
        known = ", ".join(known_cameras(folder)) or "none"
        raise ManifestError(
            f"no camera {camera_id!r}: expected its manifest at {_shown(path)}; known cameras: {known}. "
            f"Copy example_video.yaml or example_images.yaml of {_shown(CAMERAS)} {_where_to(folder)} and edit it"
        )
    try:
        content = read_yaml(path)
    except ValueError as error:
        raise ManifestError(str(error).replace(str(path), _shown(path), 1)) from None
    entry = CameraEntry(camera_id, path, _validated(content, path, camera_id))
    _check_files(entry)
    # Without a recording's first frame its size is not known; what the numbers alone tell is told now.
    source = entry.manifest.source
    if isinstance(source, SimulatedSource) or entry.manifest.calibration is not None:
        entry._checked((source.size_wh[1], source.size_wh[0]) if isinstance(source, SimulatedSource) else None)
    return entry


def _validated(content: Any, path: Path, camera_id: str) -> Manifest:
    if not isinstance(content, dict):
        raise ManifestError(f"{_shown(path)}: expected keys such as source and calibration, got {_short(content)}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        mistakes = error.errors()
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    raise ManifestError(f"{_shown(path)}: {_in_one_line(mistakes[0])}{more}. {_look(camera_id)}")


def _look(camera_id: str) -> str:
    return f"Mend it and look: luigi --module tasks ShowCalibration --camera {camera_id}"


def _in_one_line(mistake: Any) -> str:
    keys = [str(key) for key in mistake["loc"] if key not in _TAGS] or ["manifest"]
    where, got = ".".join(keys), _short(mistake.get("input"))
    kind, context = mistake["type"], mistake.get("ctx", {})
    if kind == "missing":
        return f"{where}: missing"
    if kind == "extra_forbidden":
        return f"{where}: unknown key, got {got}{_meant(keys)}"
    if kind == "union_tag_not_found":
        return f"{where}: {EXPECTED}, got {got}" if keys[:1] == ["calibration"] else f"{where}.kind: missing"
    if kind == "union_tag_invalid":
        return f"{where}.kind: expected {context['expected_tags']}, got {context['tag']!r}"
    if kind == "greater_than" and context.get("gt") == 0:
        return f"{where}: must be positive, got {got}"
    if kind == "value_error":
        text = str(context["error"])
        return (
            f"{where}: {text}" if "got" in text or isinstance(mistake["input"], dict) else f"{where}: {text}, got {got}"
        )
    text = mistake["msg"][0].lower() + mistake["msg"][1:]
    return f"{where}: {text}, got {got}"


def _meant(keys: list[str]) -> str:
    known = {name for model in _models() for name in model.model_fields}
    close = difflib.get_close_matches(keys[-1], sorted(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


def _models() -> list[type[BaseModel]]:
    sources: list[type[BaseModel]] = [SimulatedSource, VideoSource, ImagesSource]
    return [Manifest, *sources, *FORMS]


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, BaseModel) else "these values"
    return text if len(text) <= 60 else text[:57] + "..."


def _where_to(folder: Path) -> str:
    return "there" if REPOSITORY or folder != CAMERAS else "into a folder that --manifests names"


def _shown(path: Path) -> str:
    """Relative to the repository for its own manifests."""
    if REPOSITORY and path.is_relative_to(REPOSITORY):
        return str(path.relative_to(REPOSITORY))
    return str(path)


def _check_files(entry: CameraEntry) -> None:
    source = entry.manifest.source
    if isinstance(source, VideoSource) and not entry.recorded_files():
        full = entry.resolve(source.path)
        there = f"no video ({' '.join(VIDEOS)}) in this folder" if full.is_dir() else "no such file"
        raise ManifestError(f"{_shown(entry.path)}: source.path: {there}: {full}")
    for key, path in _named_files(entry.manifest):
        full = entry.resolve(path)
        exists = full.is_dir() if key == "source.folder" else full.is_file()
        if not exists:
            what = "folder" if key == "source.folder" else "file"
            raise ManifestError(f"{_shown(entry.path)}: {key}: no such {what}: {full}")


def _named_files(manifest: Manifest) -> list[tuple[str, Path]]:
    files: list[tuple[str, Path]] = []
    if isinstance(manifest.source, ImagesSource):
        files.append(("source.folder", manifest.source.folder))
    named = manifest.calibration.named_files() if manifest.calibration else []
    return files + [(f"calibration.{key}", path) for key, path in named]
