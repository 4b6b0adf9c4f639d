"""What exists: one validated YAML per camera under cameras/."""

from data_manifest.loader import CAMERAS, REPOSITORY, CameraEntry, ManifestError, known_cameras, load_camera
from data_manifest.schema import ImagesSource, Manifest, SimulatedSource, VideoSource

__all__ = [
    "CAMERAS",
    "REPOSITORY",
    "CameraEntry",
    "ImagesSource",
    "Manifest",
    "ManifestError",
    "SimulatedSource",
    "VideoSource",
    "known_cameras",
    "load_camera",
]
