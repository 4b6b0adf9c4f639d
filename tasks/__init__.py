"""The stages as Luigi tasks: `luigi --module tasks GenerateClipArt --camera cam07`."""

import sys
from pathlib import Path

from tasks.common import interrupt

_COMMAND = Path(sys.argv[0]).name == "luigi"
if _COMMAND:
    interrupt.register()

from tasks.common import configuration, console  # noqa: E402  Ctrl-C is one line from here on

if _COMMAND:
    sys.excepthook = console.show_uncaught
    console.set_up_logging()
configuration.register()

from tasks.calibrate.click import ClickPoints  # noqa: E402  settings are read from here on
from tasks.calibrate.points import CalibrateFromPoints  # noqa: E402
from tasks.calibrate.show import ShowCalibration  # noqa: E402
from tasks.calibrate.traffic import CalibrateFromTraffic  # noqa: E402
from tasks.common import guide  # noqa: E402
from tasks.common.guide import Help  # noqa: E402
from tasks.compose import ComposeShards, GenerateClipArt  # noqa: E402
from tasks.cutouts import ShowCutouts  # noqa: E402
from tasks.data_sets import Datasets, Remove  # noqa: E402
from tasks.detect import DetectObjects  # noqa: E402
from tasks.export import Export  # noqa: E402
from tasks.frames import IngestFrames, MedianBackground  # noqa: E402
from tasks.imports import Import  # noqa: E402
from tasks.learn.detector import EvaluateDetector, TrainDetector  # noqa: E402
from tasks.learn.evaluate import Evaluate  # noqa: E402
from tasks.learn.occlusion import LabelOcclusion  # noqa: E402
from tasks.learn.shape_basis import BuildShapeBasis  # noqa: E402
from tasks.learn.train import Train  # noqa: E402  and the tasks of every network's Source
from tasks.learn.weights import FetchWeights  # noqa: E402
from tasks.mine import MineUnoccluded  # noqa: E402
from tasks.reconstruct import ReconstructPeople, ReconstructVehicles  # noqa: E402
from tasks.track import EmptyStreet, TrackObjects  # noqa: E402
from tasks.verify import Verify  # noqa: E402

configuration.check()
configuration.set_limits()
configuration.choose_scheduler()
if _COMMAND:
    guide.answer(sys.argv[1:])

__all__ = [
    "BuildShapeBasis",
    "CalibrateFromPoints",
    "CalibrateFromTraffic",
    "ClickPoints",
    "ComposeShards",
    "Datasets",
    "DetectObjects",
    "EmptyStreet",
    "Evaluate",
    "EvaluateDetector",
    "Export",
    "FetchWeights",
    "GenerateClipArt",
    "Help",
    "Import",
    "IngestFrames",
    "LabelOcclusion",
    "MedianBackground",
    "MineUnoccluded",
    "ReconstructPeople",
    "ReconstructVehicles",
    "Remove",
    "ShowCalibration",
    "ShowCutouts",
    "TrackObjects",
    "Train",
    "TrainDetector",
    "Verify",
]
