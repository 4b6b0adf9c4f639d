"""The stages as Luigi tasks: `luigi --module tasks GenerateClipArt --camera cam07`."""

import sys
from pathlib import Path

from tasks.common import configuration, console

_COMMAND = Path(sys.argv[0]).name == "luigi"
if _COMMAND:
    sys.excepthook = console.show_uncaught
    console.set_up_logging()
configuration.register()

from tasks.calibration import ShowCalibration  # noqa: E402  settings are read from here on
from tasks.compose import ComposeShards, GenerateClipArt  # noqa: E402
from tasks.detect import DetectObjects  # noqa: E402
from tasks.export import Export  # noqa: E402
from tasks.frames import IngestFrames, MedianBackground  # noqa: E402
from tasks.learn.detector import EvaluateDetector, TrainDetector  # noqa: E402
from tasks.learn.matting import MattingSamples  # noqa: E402
from tasks.learn.occlusion import LabelOcclusion, OcclusionCrops  # noqa: E402
from tasks.learn.shape_basis import BuildShapeBasis  # noqa: E402
from tasks.learn.train import RenderCarViews, RenderPeopleCrops, RenderVehicleCrops, Train  # noqa: E402
from tasks.learn.weights import FetchWeights  # noqa: E402
from tasks.mine import MineUnoccluded  # noqa: E402
from tasks.reconstruct import ReconstructPeople, ReconstructVehicles  # noqa: E402
from tasks.track import TrackObjects  # noqa: E402

configuration.check()
configuration.choose_scheduler()

__all__ = [
    "BuildShapeBasis",
    "ComposeShards",
    "DetectObjects",
    "EvaluateDetector",
    "Export",
    "FetchWeights",
    "GenerateClipArt",
    "IngestFrames",
    "LabelOcclusion",
    "MattingSamples",
    "MedianBackground",
    "MineUnoccluded",
    "OcclusionCrops",
    "ReconstructPeople",
    "ReconstructVehicles",
    "RenderCarViews",
    "RenderPeopleCrops",
    "RenderVehicleCrops",
    "ShowCalibration",
    "TrackObjects",
    "Train",
    "TrainDetector",
]
