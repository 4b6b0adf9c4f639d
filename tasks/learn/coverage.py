"""How many of a camera's hidden keypoints its own other views see: `python -m tasks.learn.coverage --camera cam07`.

A single stationary camera is its own second and third view: the same vehicle at other times of its track. Reads a
camera's `reconstructed` vehicles, whose poses were fitted to detected keypoints, detects keypoints in their cutouts,
and prints how many of the hidden ones two other views see, by how the vehicle moves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data_manifest import CAMERAS
from models.contract import OwnCamera
from tasks.common.locks import reading


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 and one line on what cannot be read."""
    from models.occlusion_net.trifocal import COVERED_DEG, coverage  # torch loads for seconds
    from models.occlusion_net.view_samples import MIN_SCORE, views_of_camera

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camera", required=True, help="its id in the manifest")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder of the cameras' folders")
    parser.add_argument("--manifests", type=Path, default=CAMERAS, help="folder of the cameras' YAML files")
    parser.add_argument("--score", type=float, default=MIN_SCORE, help="least score of a visible keypoint")
    parser.add_argument("--angle", type=float, default=COVERED_DEG, help="least angle between two rays, degrees")
    options = parser.parse_args(arguments)
    folder = options.data_root / options.camera
    try:
        if not (folder / "reconstructed").is_dir():
            raise ValueError(f"{folder}: holds no reconstructed vehicles; run `luigi --module tasks "
                             f"ReconstructVehicles --camera {options.camera}`, or say --data-root")  # fmt: skip
        camera = OwnCamera(folder, options.camera, options.manifests).calibrated()
        with reading(folder, ("IngestFrames", "MineUnoccluded", "ReconstructVehicles")):
            for line in coverage(views_of_camera(folder, camera, min_score=options.score), options.angle):
                print(line)
    except (ValueError, OSError) as error:
        print(f"coverage: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
