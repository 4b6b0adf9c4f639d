"""Occluded keypoints in any picture, behind any detector of the project, as pictures and JSON.

    python -m models.occlusion_net.predict IMAGE... --box X Y W H
    python -m models.occlusion_net.predict IMAGE... --detector onnx --model FILE
    python -m models.occlusion_net.predict IMAGE... --detector mmdet --config CONFIG --checkpoint FILE.pth
    python -m models.occlusion_net.predict IMAGE... --detector coco --file FILE
    python -m models.occlusion_net.predict --job data/cam07 [--frames 0,25]

--job takes the vehicles that a camera's job detected, with motion or any other detector. Keypoints are pixel centres
of the picture; what is drawn over it may be a multiple of its size. A config of mmdet is Python that is run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

from calibration.camera import edge_to_pixel
from models.crops import checked_boxes, crop_square, squares_of
from models.occlusion_net.drawing import overlay
from models.shape_basis.basis import KEYPOINT_NAMES

if TYPE_CHECKING:
    from models.occlusion_net.network import OcclusionNet
    from pipeline.core.instances import Instance

WEIGHTS = Path(__file__).with_name("weights.safetensors")
_BATCH = 32


@dataclass(frozen=True)
class Vehicles:
    """N vehicles: xy (N, 12, 2) px by the 2D graph; visible (N, 12) how likely each is seen; confidence (N, 12) of the
    heatmaps; wire_xy (N, 12, 2) px, the 3D keypoints projected; points (N, 12, 3) metres in the vehicle's frame;
    quaternion (N, 4), real part first, and translation (N, 3) metres of the camera that looks along the box's centre
    ray, from the vehicle; focal_px (N,)."""

    xy: np.ndarray
    visible: np.ndarray
    confidence: np.ndarray
    wire_xy: np.ndarray
    points: np.ndarray
    quaternion: np.ndarray
    translation: np.ndarray
    focal_px: np.ndarray


def load(path: Path = WEIGHTS) -> OcclusionNet:
    """The network of a weights file; raises ValueError, one line, where it has no 3D graph or is another model's."""
    from models.occlusion_net.evaluate import load_network

    network = load_network(path)
    if not network.settings.lift:
        raise ValueError(f"{path}: expected weights with both graphs, as `make train MODEL=occlusion_net` writes them")
    return network


def predict(network: OcclusionNet, images: Sequence[np.ndarray], boxes_xywh: np.ndarray) -> Vehicles:
    """Vehicles of boxes (N, 4), COCO edges in px, each in its BGR uint8 image (H, W, 3); images may repeat.

    Raises ValueError for another number of images than of boxes, and for boxes without an area.
    """
    boxes = checked_boxes(np.asarray(boxes_xywh, float).reshape(-1, 4))
    if len(images) != len(boxes):
        raise ValueError(f"occlusion_net: expected one image for each of {len(boxes)} boxes, got {len(images)}")
    parts = [_batch(network, images[i : i + _BATCH], boxes[i : i + _BATCH]) for i in range(0, len(boxes), _BATCH)]
    if not parts:
        shapes = ((12, 2), (12,), (12,), (12, 2), (12, 3), (4,), (3,), ())
        return Vehicles(*(np.zeros((0, *shape)) for shape in shapes))
    return Vehicles(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _batch(network: OcclusionNet, images: Sequence[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    import torch

    from models.layers.unet import scaled
    from models.occlusion_net.frames import INPUT_PX, from_box

    crops = [
        crop_square(image, window, INPUT_PX)[..., ::-1] for image, window in zip(images, squares_of(boxes), strict=True)
    ]
    with torch.inference_mode():
        image = torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy())
        found = network.eval()(scaled(image), torch.from_numpy(boxes[:, 2] / boxes[:, 3]).float())
    graph, lifted = found.graph, found.lifted
    xy, wire = (edge_to_pixel(from_box(a.double().numpy(), boxes[:, None])) for a in (graph.xy, lifted.xy))
    rest = (lifted.points, lifted.quaternion, lifted.translation)
    focal = lifted.focal.double().numpy() * boxes[:, 2] / 2
    seen, confidence = graph.visible.double().numpy(), found.confidence.double().numpy()
    return xy, seen, confidence, wire, *(a.double().numpy() for a in rest), focal


def as_json(image: str, boxes_xywh: np.ndarray, vehicles: Vehicles) -> dict:
    """Plain values of one image's vehicles; keypoints by name."""
    rows = []
    for n, box in enumerate(boxes_xywh):
        keypoints = {
            name.replace(" ", "_"): {
                "xy": vehicles.xy[n, k].round(2).tolist(),
                "state": "visible" if vehicles.visible[n, k] >= 0.5 else "occluded",
                "visible": round(float(vehicles.visible[n, k]), 4),
                "confidence": round(float(vehicles.confidence[n, k]), 4),
                "point_m": vehicles.points[n, k].round(4).tolist(),
                "wire_xy": vehicles.wire_xy[n, k].round(2).tolist(),
            }
            for k, name in enumerate(KEYPOINT_NAMES)
        }
        camera = {
            "focal_px": round(float(vehicles.focal_px[n]), 1),
            "quaternion": vehicles.quaternion[n].round(5).tolist(),
            "translation_m": vehicles.translation[n].round(3).tolist(),
        }
        rows.append({"box_xywh": np.asarray(box, float).tolist(), "camera": camera, "keypoints": keypoints})
    return {"image": image, "vehicles": rows}


Picture = tuple[str, np.ndarray, np.ndarray]  # name, BGR image, boxes (N, 4)


def detected(paths: Sequence[Path], options: argparse.Namespace) -> Iterator[Picture]:
    """Each picture with the boxes of its vehicles. Raises ValueError where a file cannot be read, and for two pictures
    of one name, whose results would overwrite each other."""
    stems = [path.stem for path in paths]
    twice = next((path for path in paths if stems.count(path.stem) > 1), None)
    if twice:
        raise ValueError(f"{twice}: expected pictures of different names, got two of this; run each with its own --out")
    finds = None if options.box else _detector(paths, options)
    for number, path in enumerate(paths):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
        if image is None:
            raise ValueError(f"{path}: cannot be read as a picture")
        if finds is None:
            yield path.name, np.asarray(image), np.array([options.box])
            continue
        boxes = [one.box_xywh for one in finds(np.asarray(image), number) if one.category == "vehicle"]
        yield path.name, np.asarray(image), np.reshape(np.array(boxes, float), (-1, 4))


def _detector(paths: Sequence[Path], options: argparse.Namespace) -> Callable[[np.ndarray, int], list[Instance]]:
    """What finds the instances of a picture and its number among the paths."""
    if options.detector == "onnx":
        from pipeline.detection.onnx import OnnxDetector, OnnxSettings

        onnx = OnnxDetector(OnnxSettings(model=options.model))
        return lambda image, number: onnx(image, "", number)
    if options.detector == "mmdet":
        from pipeline.detection.mmdet import MmdetDetector, MmdetSettings

        mmdet = MmdetDetector(MmdetSettings(config=options.config, checkpoint=options.checkpoint))
        return lambda image, number: mmdet(image, "", number)
    import pyarrow as pa

    from pipeline.detection.coco import CocoDetector, CocoSettings

    numbers = list(range(len(paths)))
    frames = pa.table({"source": [str(p) for p in paths], "frame_id": numbers, "position": [-1] * len(paths)})
    coco = CocoDetector(CocoSettings(file=options.file), frames)
    return lambda image, number: coco(image, "", number)


def of_job(folder: Path, frame_ids: Sequence[int]) -> Iterator[Picture]:
    """Frames of a camera's job with the vehicles it detected; all of its frames where none is named."""
    import pyarrow.parquet as pq

    from pipeline.core.frames import FrameReader
    from pipeline.core.storage import read_parts

    if not (folder / "detections").is_dir():
        raise ValueError(
            f"{folder}: holds no detections; run `luigi --module tasks DetectObjects --camera {folder.name}`"
        )
    index = pq.read_table(folder / "frames" / "index.parquet")
    known = index["frame_id"].to_pylist()
    missing = [number for number in frame_ids if number not in known]
    if missing:
        raise ValueError(f"{folder}: no frame {missing[0]}; frames are {min(known)} to {max(known)}")
    table = read_parts(folder / "detections", columns=["frame_id", "category", "bbox_xywh"]).to_pylist()
    boxes: dict[int, list] = {}
    for row in table:
        if row["category"] == "vehicle":
            boxes.setdefault(row["frame_id"], []).append(row["bbox_xywh"])
    for number, image in FrameReader(index, folder).read(frame_ids or known):
        yield f"frame{number:06d}.png", image, np.reshape(np.array(boxes.get(number, []), float), (-1, 4))


def main(arguments: list[str] | None = None) -> int:
    """Write NAME_keypoints.jpg of each picture and keypoints.json; 1 and one line on what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", type=Path)
    parser.add_argument("--box", nargs=4, type=float, metavar=("X", "Y", "W", "H"), help="one vehicle's box, px")
    parser.add_argument("--detector", choices=("onnx", "mmdet", "coco"), default="onnx")
    parser.add_argument("--model", default="", help="detector onnx: an exported YOLO segmentation network")
    parser.add_argument(
        "--config", default="", help="detector mmdet: a .py, or a name of the model zoo of instance segmentation"
    )
    parser.add_argument("--checkpoint", default="", help="detector mmdet: its weights, a .pth")
    parser.add_argument("--file", default="", help="detector coco: a JSON of detections")
    parser.add_argument("--job", type=Path, help="a camera's folder, with what its job detected")
    parser.add_argument("--frames", default="", help="frames of --job, comma-separated, else all")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--out", type=Path, default=Path("occlusion_net"), help="folder (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        if bool(given.images) == bool(given.job):
            raise ValueError("expected pictures or --job")
        if given.box if given.job else given.frames:
            raise ValueError("--box goes with pictures and --frames with --job; got one with the other")
        numbers = _numbers(given.frames)
        network, count = load(given.weights), len(numbers) or len(given.images)
        pictures = of_job(given.job, numbers) if given.job else detected(given.images, given)
        _write(network, pictures, count, given.out)
    except (ValueError, OSError) as error:
        print(f"predict: {error}", file=sys.stderr)
        return 1
    return 0


def _numbers(listed: str) -> list[int]:
    try:
        return [int(part) for part in listed.split(",") if part]
    except ValueError:
        raise ValueError(f"--frames: expected numbers, comma-separated, got {listed!r}") from None


def _write(network: OcclusionNet, pictures: Iterator[Picture], count: int, out: Path) -> None:
    """count: of the pictures, 0 where it is not known."""
    from pipeline.core.storage import write_bytes

    found: list[dict] = []
    for name, image, boxes in tqdm(pictures, total=count or None, unit="picture", disable=None):
        vehicles = predict(network, [image] * len(boxes), boxes)
        found.append(as_json(name, boxes, vehicles))
        jpeg = cv2.imencode(".jpg", overlay(image, boxes, vehicles), [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        write_bytes(out / f"{Path(name).stem}_keypoints.jpg", jpeg.tobytes())
    write_bytes(out / "keypoints.json", (json.dumps(found, indent=1) + "\n").encode())
    count = sum(len(picture["vehicles"]) for picture in found)
    print(f"{count} vehicles in {len(found)} pictures, in {out}")


if __name__ == "__main__":
    sys.exit(main())
