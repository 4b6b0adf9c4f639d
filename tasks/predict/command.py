"""Any network of the project on pictures, folders, videos and cameras' jobs: JSON, and pictures with what it found.

    python -m tasks.predict NAME PICTURE... --box X Y W H [--class NAME]
    python -m tasks.predict klpnet PICTURE... --weights FILE --detector dpad --detector-weights FILE
    python -m tasks.predict NAME PICTURE... --detector onnx --model FILE
    python -m tasks.predict NAME FOLDER --detector mmdet --config CONFIG --checkpoint FILE.pth
    python -m tasks.predict NAME VIDEO.mp4 --every 25 --detector onnx --model FILE
    python -m tasks.predict NAME --job data/cam07 [--frames 0,25]
    python -m tasks.predict walt3d street.jpg --weights FILE --camera mine
    python -m tasks.predict opec_net FOLDER --poses coco_keypoints.json

--job takes what a camera's job detected, with its backgrounds and calibration. A network that finds objects itself
takes neither boxes nor a detector, and may be a detector: its weights are --detector-weights, else those that ship.
`NAME --detector DETECTOR --help` lists the detector's settings. Boxes are COCO edges and keypoints pixel centres of the
picture. A config of mmdet is Python that is run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

import models
from data_manifest import CAMERAS, load_camera
from models.contract import Spec, find, load_object, specs
from models.crops import checked_boxes
from models.frames import read_picture
from models.labels.poses import poses_of, read_poses
from models.mm import pick_device
from models.predictor import FramePredictor
from pipeline.core.instances import Instances
from pipeline.core.video import Video
from pipeline.detection.registry import Inputs, backend_of, backends, make_detector
from readers.texts import expanded
from tasks.common.renamed import StoreRenamed
from tasks.common.settings import Setting, former_keys, leaves
from tasks.learn.weights import weights_folder
from tasks.predict.inputs import Job, LeftOut, Read, files_of, frames_of, is_video
from tasks.predict.run import Detect, detect_with, predicted, write_predictions


def main(arguments: list[str] | None = None) -> int:
    """Write predictions.json and a JPEG of each frame; 1 and one line on what is wrong, or where nothing was read."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what decoders grumble about is told in one line
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        asked = _parsed(sys.argv[1:] if arguments is None else arguments)
        spec = find(asked.network, "make predict MODEL=occlusion_net ARGS=--help")
        _check_asked(asked, spec)
        files, device = files_of(asked.inputs), str(pick_device(asked.device))
        items = _items(asked, files)
        weights = expanded(asked.weights, "--weights").resolve() if asked.weights else None
        predictor = load_object(spec.predictor or "models.predictor:load")(spec, weights, device)
        if asked.label:
            _check_class(predictor, asked.label)
        detect = _detect(asked, files, predictor.spec)
        found = predicted(items, spec, predictor, detect)  # the weights' own skeleton may be another than the network's
        print(write_predictions(asked.out, predictor.spec, weights or spec.weights, found))
    except (ValueError, OSError) as error:
        print(f"predict: {error}", file=sys.stderr)
        return 1
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line; the settings of the detector that it names are options, too, by name in `settings`."""
    parser = argparse.ArgumentParser(
        prog="tasks.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", nargs="?", default="", help="a network's name")
    parser.add_argument("inputs", nargs="*", type=Path, help="pictures, folders of them, videos")
    parser.add_argument("--box", nargs=4, type=float, metavar=("X", "Y", "W", "H"), help="an object's box, px")
    parser.add_argument("--class", dest="label", default="", help="what is in --box, for networks of many classes")
    known = ", ".join([*backends(), *_finders()])
    parser.add_argument("--detector", default="", help=f"what finds the objects: {known}")
    parser.add_argument("--detector-weights", type=Path, help="weights of a --detector that is a network of the house")
    parser.add_argument("--poses", type=Path, help="JSON of people's boxes and keypoints, in COCO's form of results")
    parser.add_argument("--job", type=Path, help="a camera's folder, with what its job detected")
    parser.add_argument("--frames", default="", help="frames of --job, comma-separated, else all")
    parser.add_argument("--manifests", type=Path, default=CAMERAS, help="folder of the cameras' YAML")
    parser.add_argument("--camera", default="", help="id of the camera that took the pictures, for poses in metres")
    parser.add_argument("--background", type=Path, help="picture of the empty street, where a network compares with it")
    parser.add_argument("--every", type=int, default=1, help="of a video every so many frames")
    parser.add_argument("--weights", type=Path, help="file of weights, else what ships")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, or auto: cuda where there is one")
    parser.add_argument("--out", type=Path, default=Path("predictions"), help="folder (default: %(default)s)")
    named = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    named.add_argument("--detector", default="")
    detector = named.parse_known_args(arguments)[0].detector
    flags = _add_settings(parser, detector) if detector and detector not in _finders() else {}
    asked = parser.parse_intermixed_args(arguments)
    asked.settings = {key: getattr(asked, flag) for key, flag in flags.items()}
    return asked


def _finders() -> list[str]:
    """The networks that find objects of classes by themselves."""
    return [name for name, spec in specs().items() if not spec.needs and {"class", "bbox_xywh"} <= {*spec.gives}]


def _add_settings(parser: argparse.ArgumentParser, detector: str) -> dict[str, str]:
    """Options for a detector's settings; the attribute of each. A name that is taken gets the detector's before it."""
    settings = backend_of(detector, "--detector").settings
    group = parser.add_argument_group(f"settings of --detector {detector}")
    flags = {}
    former = former_keys(settings) if settings else {}
    for key, field, kind in leaves(settings) if settings else ():
        name = f"{detector}_{key}" if parser.get_default(key) is not None or key == "weights" else key
        flag = f"--{name.replace('_', '-')}"
        parse = _reader(Setting(kind, flag, field.default, ""))
        old: Any = {"action": StoreRenamed, "old": f"--{former[key].replace('_', '-')}"} if key in former else {}
        meaning = field.metadata.get("help", "")
        group.add_argument(flag, dest=name, type=parse, default=field.default, help=meaning, **old)
        flags[key] = name
    return flags


def _reader(setting: Setting) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return setting.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def _check_asked(asked: argparse.Namespace, spec: Spec) -> None:
    """Raises ValueError for options that do not go together or lack something."""
    if bool(asked.inputs) == bool(asked.job):
        raise ValueError("expected pictures or --job")
    if (asked.box or asked.detector or asked.poses or asked.camera) if asked.job else asked.frames:
        raise ValueError(
            "--box, --poses, --camera and --detector go with pictures, --frames with --job; got one with the other"
        )
    ways = [name for name in ("--box", "--detector", "--poses") if getattr(asked, name[2:])]
    if ways and not spec.needs:
        raise ValueError(f"{spec.name} finds objects itself; expected no {ways[0]}")
    if spec.needs and not asked.job and len(ways) != 1:
        raise ValueError(
            f"{spec.name} needs to know where objects are: expected one of --box, --detector, --poses and --job"
        )
    if asked.box:
        checked_boxes(np.array([asked.box]))
    for flag, value, way in (
        ("--class", asked.label, "--box"),
        ("--detector-weights", asked.detector_weights, "--detector"),
    ):
        if value and way not in ways:
            raise ValueError(f"{flag} goes with {way}; got it without")
    if asked.every < 1:
        raise ValueError(f"--every: expected at least 1, got {asked.every}")


def _check_class(predictor: FramePredictor, name: str) -> None:
    try:
        predictor.check_class(name)
    except ValueError as error:
        raise ValueError(f"--class: {error}") from None


def _items(asked: argparse.Namespace, files: Sequence[Path]) -> Iterator[Read | LeftOut]:
    if asked.job:
        return Job(asked.job, asked.manifests).frames(_frame_numbers(asked.frames))
    background = read_picture(asked.background) if asked.background else None
    calibrated = load_camera(asked.camera, asked.manifests).calibrated if asked.camera else None
    return frames_of(files, asked.every, background, calibrated)


def _frame_numbers(listed: str) -> list[int]:
    try:
        return [int(part) for part in listed.split(",") if part]
    except ValueError:
        raise ValueError(f"--frames: expected numbers, comma-separated, got {listed!r}") from None


def _given_poses(path: Path, spec: Spec) -> Detect:
    """What a file says of pictures; nobody is in those of which it says nothing."""
    asked = "keypoints_initial" in spec.gives
    poses = read_poses(expanded(path, "--poses"), spec.skeleton if asked else None)
    if not asked:
        print(f"predict: these weights of {spec.name} find poses anew: of --poses only boxes are used", file=sys.stderr)

    def found(reads: Sequence[Read]) -> list[Instances]:
        nobody = {name: column[:0] for name, column in next(iter(poses.values())).items()}
        columns = [poses_of(poses, one.frame.name) or nobody for one in reads]
        names = {"keypoints_2d": "keypoints_initial"} if asked else {"keypoints_2d": "", "keypoint_score": ""}
        kept = [{new: c for n, c in one.items() if (new := names.get(n, n))} for one in columns]
        return [Instances(one.frame.size_hw, these) for one, these in zip(reads, kept, strict=True)]

    return found


def _detect(asked: argparse.Namespace, files: Sequence[Path], spec: Spec) -> Detect | None:
    """What finds the objects of frames; None where they are known already, or the network, of spec, finds them."""
    if asked.poses:
        return _given_poses(asked.poses, spec)
    if asked.box:
        columns = {"bbox_xywh": np.array([asked.box])} | ({"class": [asked.label]} if asked.label else {})
        return lambda reads: [Instances(one.frame.size_hw, columns) for one in reads]
    if not asked.detector:
        return None
    if asked.detector in _finders():
        weights = expanded(asked.detector_weights, "--detector-weights").resolve() if asked.detector_weights else None
        finder = models.load(asked.detector, weights, str(pick_device(asked.device)))
        return lambda reads: finder.of_frames([one.frame for one in reads])
    backend = backend_of(asked.detector)
    if "frames" in backend.needs and len(files) > 1 and any(is_video(path) for path in files):
        raise ValueError(f"detector {backend.name} finds frames by name or number; expected pictures, or one video")
    settings = backend.settings(**asked.settings) if backend.settings else None
    inputs, options = Inputs(frames=_frames_table(files)), backend.complete(settings, weights_folder(""))
    for line in backend.told(options, inputs):
        print(line, file=sys.stderr)
    return detect_with(make_detector(backend.name, options, inputs))


def _frames_table(files: Sequence[Path]) -> pa.Table:
    """Pictures by their names, or the frames of one video by their numbers, as a detector finds them."""
    names = [str(path) for path in files if not is_video(path)]
    positions = [-1] * len(names)
    if not names and files:
        video = Video(files[0])
        # A file's own count may be short of what it holds.
        positions = list(range(2 * video.frames + 1000))
        names = [str(files[0])] * len(positions)
        video.close()
    return pa.table({"source": names, "frame_id": range(len(names)), "position": positions})
