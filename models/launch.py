"""Train without Luigi, as several processes need: `torchrun --nproc-per-node 4 -m models.launch NAME --help`.

The data must be there already: `luigi --module tasks RenderVehicleCrops` makes those of vehicle_keypoints, and says
where; clip-art is that of `GenerateClipArt`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from data_manifest import CAMERAS
from models.contract import Given, OwnCamera, Progress, Shards, Spec, TrainOptions, find, load_object
from models.headers import check_header
from pipeline.core.storage import check_data_set, damaged, unlike_listing
from readers.texts import expanded

_SHORT = {"batch_size": ("--batch",), "data_workers": ("--workers",)}


def given_of(spec: Spec, options: TrainOptions, data: Path | None = None, cameras: Sequence[OwnCamera] = ()) -> Given:
    """What a training by these options is given; data: what the Source made, None where labels take its place.

    Raises ValueError where neither is there, and for cameras beside labels.
    """
    if cameras and options.labels:
        raise ValueError(f"{spec.name}: --cameras goes with the rendered data, not with --labels; expected one of them")
    if data is None and spec.source is not None and not options.labels:
        raise ValueError(f"{spec.name}: expected data to learn from, or --labels of your own; got neither")
    files = {n: _path(getattr(options, n)) for n in ("labels", "images", "backdrops")}
    folder = {"shards" if isinstance(spec.source, Shards) else "data": data}
    return Given(**files, **folder, cameras=tuple(cameras), masks=options.masks)


def run_training(
    spec: Spec, options: TrainOptions, given: Given, folder: Path, progress: Progress | None = None
) -> dict[str, float]:
    """Train, or go on, in a run folder: by the house's loop or the network's own. The last metrics."""
    trainer, preset, start = (
        load_object(spec.train or "models.train:train"),
        spec.preset(options),
        start_of(spec, options),
    )
    if options.verify and int(os.environ.get("RANK", 0)) == 0:
        verify(given)
    return trainer(spec, preset, given, folder, init_from=start, progress=progress)


def start_of(spec: Spec, options: TrainOptions) -> Path | None:
    """The weights that a training starts from: those that are named, or what ships where the preset says so.

    Raises FileNotFoundError or ValueError, one line, where they are not there or are of another model.
    """
    path = _path(options.init_from) or (spec.shipped if spec.preset(options).from_shipped else None)
    if path is not None and not spec.train:
        check_header(path, spec.name)
    elif path is not None and not path.is_file():
        raise ValueError(f"{spec.name}: --init-from: {path}: no such file")
    return path


def verify(given: Given) -> None:
    """Compare what a training reads with the hashes of what was written: a broken picture is learnt from as any.

    Raises ValueError, which names the file and the command that mends.
    """
    if given.shards is not None:
        for folder in [given.shards, *(camera.folder / given.shards.name for camera in given.cameras)]:
            check_data_set(folder)
    if given.data is not None:
        for path, reason in unlike_listing(given.data, hashes=True).items():
            raise damaged(path, reason)


def _path(text: str) -> Path | None:
    return expanded(text, "--init-from and other files").resolve() if text else None


def main(arguments: list[str] | None = None) -> int:
    """Train a network of the project on data that are there, in a run folder; 1 and one line on what is wrong."""
    parser = argparse.ArgumentParser(prog="models.launch", description=main.__doc__)
    parser.add_argument("network", help="a network's name, as `make train MODEL=NAME` takes it")
    parser.add_argument("--folder", type=Path, required=True, help="the run's folder; a stopped run goes on")
    parser.add_argument("--data", type=Path, help="what the network's data task wrote, or a camera's clipart folder")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder of the cameras' results")
    parser.add_argument("--manifests", type=Path, default=CAMERAS, help="folder of the cameras' YAML")
    for option in dataclasses.fields(TrainOptions):
        default = "base" if option.name == "preset" else option.default
        flags = [f"--{option.name.replace('_', '-')}", *_SHORT.get(option.name, ())]
        kind = {"action": argparse.BooleanOptionalAction} if option.type == "bool" else {"type": type(default)}
        parser.add_argument(*flags, **kind, default=default, help=option.metadata["help"])
    asked = parser.parse_args(arguments)
    try:
        last = _launch(asked)
    except (ValueError, OSError) as error:
        print(f"launch: {error}", file=sys.stderr)
        return 1
    if int(os.environ.get("RANK", 0)) == 0:
        print(", ".join(f"{name} {value:.3f}" for name, value in last.items()), file=sys.stderr)
    return 0


def _launch(asked: argparse.Namespace) -> dict[str, float]:
    spec = find(asked.network, "python -m models.launch matting --help")
    options = TrainOptions(**{option.name: getattr(asked, option.name) for option in dataclasses.fields(TrainOptions)})
    start_of(spec, options)  # a mistake in the options is reported before one in the data
    cameras = [
        OwnCamera(asked.data_root.resolve() / name, name, asked.manifests.resolve())
        for name in options.cameras.split(",")
        if name
    ]
    data = asked.data.resolve() if asked.data else None
    if data is not None and not data.is_dir():
        raise ValueError(f"--data: {asked.data}: no such folder")
    return run_training(spec, options, given_of(spec, options, data, cameras), asked.folder.resolve())


if __name__ == "__main__":
    sys.exit(main())
