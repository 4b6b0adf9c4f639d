"""The kinds of files that users bring, for benchmarks.fuzz: whole examples of each, and what reads them.

An example is the bytes of a file that is read without an error; `fuzz_cases` has those that once broke something. A
reader takes a path; what it raises is judged by whoever calls it.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

SIZE_HW = (48, 64)
_MANIFESTS = (
    "source: {kind: video, path: v.mp4, start: '2025-06-03 07:00:00', time_zone: Europe/Berlin, first: 3, every: 2}\n"
    "calibration: {focal_px: 1100, tilt_deg: 22, height_m: 7.5, principal_point: [3, 4]}\nclasses: [person]\n"
    "buckets:\n  - {name: day, start: '08:00', end: '20:00'}\nroi: &r [[[0, 0], [60, 0], [60, 40]]]\nignore: *r\n"
    "settings: {MineUnoccluded: {min_area_px: 600}}\ndetector: {backend: onnx, model: a.onnx}\n",
    "source: {kind: images, folder: ., glob: '*.jpg', time_pattern: 'street_%Y%m%d-%H%M%S_*', time_zone: UTC}\n"
    "calibration:\n  K: [[900, 0, 320], [0, 900, 180], [0, 0, 1]]\n  ground_plane: [0, -0.9, -0.43, 6]\n"
    "  distortion: [-0.1, 0.01]\n  image_size_wh: [640, 360]\n",
    "source: {kind: simulated, layout: crossroads, seed: 7, date: 2024-05-14, size_wh: [640, 360], buckets: [{name: a, "
    "start: '08:30'}], bursts_per_bucket: 1, burst_s: 6, vehicles_per_minute: 9, people_per_minute: 1}\n"
    "calibration: {tsai_xml: t.xml}\n",
)
_TSAI = (
    '<Camera name="a"><Geometry width="768" height="576" dpx="0.0051" dpy="0.0051"/><Intrinsic focal="5.5" '
    'kappa1="0.001" cx="384" cy="288" sx="1.0"/><Extrinsic tx="-100" ty="200" tz="5000" rx="1.8" ry="0.2" rz="-3"/>'
    "</Camera>"
)
_COCO = {
    "images": [{"id": 1, "file_name": "f0.jpg", "width": 64, "height": 48}],
    "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [4, 5, 20, 12], "score": 0.9, "iscrowd": 0,
         "segmentation": [[4, 5, 24, 5, 24, 17, 4, 17]]},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [48, 64], "counts": [480, 20, 2572]}},
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [48, 64], "counts": "P<:0_T2"}},
    ],
}  # fmt: skip
_WALT = [{"bbox": "{4,5,20,12,0.9}", "segmentation": "{4,5,24,5,24,17}", "label_id": 1, "time": "2025-06-03T07:00:00"}]
_CVAT = (
    '<annotations><image id="0" name="f0.jpg" width="64" height="48"><box label="car" occluded="0" xtl="4" ytl="5" '
    'xbr="24" ybr="17" rotation="10"><attribute name="a">b</attribute></box><polygon label="car" occluded="1" '
    'points="4,5;24,5;24,17"/><mask label="car" occluded="0" rle="3,4,3" left="2" top="3" width="5" height="2"/>'
    '<ellipse label="car" occluded="0" cx="20" cy="20" rx="5" ry="4"/></image><track id="1" label="car"><box frame="2" '
    'outside="0" occluded="0" xtl="4" ytl="5" xbr="24" ybr="17"/></track></annotations>'
)
_CSV = "frame_id,x,y,w,h,label\n3,10,20.5,30,40,truncated\n4,1,2,3,4,unoccluded\n"


@dataclass(frozen=True)
class Kind:
    """A kind of file: its ending, examples, what reads one, words that a mutation may put in; named: whether an error
    must name the file."""

    ending: str
    examples: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    words: tuple[bytes, ...] = ()
    named: bool = True


def _manifest(path: Path) -> None:
    from data_manifest import load_camera

    for name, data in {"v.mp4": b"", "a.jpg": b"", "t.xml": _TSAI.encode()}.items():
        (path.parent / name).write_bytes(data)
    entry = load_camera(path.stem, path.parent)
    entry.ignored((360, 640))
    entry.recorded_files()


@cache
def _frames() -> object:
    import pyarrow as pa

    stamp = np.array(["2025-06-03T07:00:00"], "datetime64[us]")
    return pa.table({"frame_id": [0], "source": ["f0.jpg"], "position": [-1], "width": [64], "height": [48],
                     "timestamp": pa.array(stamp, pa.timestamp("us", tz="UTC"))})  # fmt: skip


def _detections(path: Path) -> None:
    from pipeline.detection.coco import CocoDetector, CocoSettings

    CocoDetector(CocoSettings(file=str(path)), _frames())(np.zeros((*SIZE_HW, 3), np.uint8), "", 0)


def _cvat(path: Path) -> None:
    from models.labels.cvat import read_cvat

    for picture in read_cvat(path):
        for shape in picture.shapes:
            shape.mask(SIZE_HW)


def _labels(path: Path) -> None:
    from models.labels.occlusion_csv import read_csv

    read_csv(path)


def _keypoints(path: Path) -> None:
    from models.labels.keypoints import read_coco

    read_coco(path, path.parent)


def _deeplabcut(path: Path) -> None:
    from models.labels.keypoints import read_deeplabcut

    read_deeplabcut(path)


def _rle(path: Path) -> None:
    from pipeline.core import masks

    masks.full(path.read_bytes().decode("latin1"), SIZE_HW)


def _picture(path: Path) -> None:
    from readers.pictures import read_image

    read_image(path)


def _tsai(path: Path) -> None:
    from calibration.forms.tsai import from_tsai, read_tsai

    tsai = read_tsai(path)
    try:
        from_tsai(tsai)
    except ValueError as error:  # which file it is of says who calls it
        raise ValueError(f"{path}: {error}") from None


def _weights(path: Path) -> None:
    from models.checkpoints import network_of
    from models.contract import find

    network_of(find("occlusion_classifier"), path)


def _checkpoint(path: Path) -> None:
    from models.mm.checkpoints import read_zoo_checkpoint

    read_zoo_checkpoint(path)


def _release(path: Path) -> None:
    from models.hmr.released import read_released

    read_released(path)


def _body(path: Path) -> None:
    from models.body_model.files import read_arrays

    read_arrays(path)


def _bases(path: Path) -> None:
    from models.shape_basis import load_bases

    load_bases(path)


def _configuration(path: Path) -> None:
    from configparser import ConfigParser
    from configparser import Error as ConfigError

    try:
        ConfigParser(interpolation=None).read_string(path.read_bytes().decode("utf-8"))
    except (ConfigError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def _pictures() -> list[bytes]:
    import cv2

    image = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    kinds = (".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm")
    return [cv2.imencode(kind, image)[1].tobytes() for kind in kinds]


def _shipped() -> list[bytes]:
    from models.contract import find

    return [find("occlusion_classifier").shipped.read_bytes()]


def _checkpoints() -> list[bytes]:
    import torch

    found = []
    for zipped in (True, False):
        data = io.BytesIO()
        state = {"a.weight": torch.ones(3, 4), "a.bias": torch.arange(3), "b": torch.ones(2).half()}
        torch.save({"state_dict": state, "meta": {"classes": ("car",)}, "x": [1.5, None]}, data,
                   _use_new_zipfile_serialization=zipped)  # fmt: skip
        found.append(data.getvalue())
    return found


def _bodies() -> list[bytes]:
    from scipy import sparse

    arrays = {
        "v_template": np.zeros((5, 3)), "f": np.zeros((2, 3), np.uint32), "weights": np.zeros((5, 24)),
        "J_regressor": sparse.csc_matrix(np.eye(24, 5)), "shapedirs": np.zeros((5, 3, 10)),
        "posedirs": np.zeros((5, 3, 207), np.float32)[:, :, :0], "kintree_table": np.zeros((2, 24), np.int64),
    }  # fmt: skip
    return [pickle.dumps(arrays, protocol) for protocol in (0, 2, 4)]


def _archives() -> list[bytes]:
    from models.shape_basis import ShapeBasis
    from models.shape_basis.basis import save_bases

    path = Path("example.npz")
    zeros = {"mean": (12, 3), "components": (2, 12, 3), "mesh_mean": (0, 3), "mesh_components": (2, 0, 3),
             "triangles": (0, 3), "dims_mean": (3,), "dims_components": (2, 3)}  # fmt: skip
    arrays = {name: np.zeros(shape, np.int32 if name == "triangles" else float) for name, shape in zeros.items()}
    save_bases(path, {"car": ShapeBasis("car", **arrays)})
    return [path.read_bytes()]


def _dlc() -> list[bytes]:
    from models.labels.keypoints import NAMES

    parts = ",".join(f"{name},{name}" for name in NAMES)
    header = f"scorer{',me' * 24}\nbodyparts,{parts}\ncoords{',x,y' * 12}\n"
    return [(header + "a.png" + ",3.5,4.5" * 12 + "\n").encode()]


def _coco_keypoints() -> list[bytes]:
    from models.labels.keypoints import NAMES

    one = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 20], "keypoints": [5, 6, 2] * 12}
    content = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [one],
               "categories": [{"id": 1, "name": "car", "keypoints": list(NAMES)}]}  # fmt: skip
    return [json.dumps(content).encode()]


_TEXTS = (
    b"../..", b"~nosuchuser/x", b"\\ud800", b"\\u0000", b"\x00", b"\xff", b"nan", b"1e400", b"-1", b"null", b"[]",
    b"{}", b"9" * 400, b"1" * 5000, b"4611686018427387904", b"[" * 300, b"true", b"0001-01-01", b"9999-12-31",
)  # fmt: skip
_YAML = (
    b"&a", b"*a", b"*r", b"<<: *r", b"!!python/object/apply:os.system [id]", b"? ", b"*" * 40, b"!!binary x",
    b"%Y%m%d_*_*_*_*_*", b"!!timestamp 2025-13-41", b"1:1:1:1:1:1", b"glob: .", b"2025-13-03", b"-  - - - - -",
)  # fmt: skip
_XML = (b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<a>" * 300, b"inf", b"points=''", b"rle='4294967296,1'")
_PICKLE = (
    b"cos\nsystem\n", b"R", b"b", b"\x85", b"\x86", b"q\x00", b"h\x00", b"h\x00h\x00\x86q\x00" * 40, b"}", b"s",
    b"\x91", b"r\xff\xff\xff\x7f", b"\x8e" + b"\xff" * 8, b"cnumpy\ndtype\n", b"c__builtin__\neval\n",
)  # fmt: skip
_HEADER = (b'"blocks": 300000', b'"width": 100000', b'"width": -1', b'"width": "x"', b'"network": []', b"{", b"}")


def _examples(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


KINDS = {
    "manifest": Kind(".yaml", _examples(*_MANIFESTS), _manifest, _TEXTS + _YAML),
    "tsai": Kind(".xml", _examples(_TSAI), _tsai, _TEXTS + _XML),
    "coco": Kind(".json", _examples(json.dumps(_COCO)), _detections, _TEXTS),
    "walt": Kind(".json", _examples(json.dumps(_WALT)), _detections, _TEXTS),
    "cvat": Kind(".xml", _examples(_CVAT), _cvat, _TEXTS + _XML),
    "csv": Kind(".csv", _examples(_CSV), _labels, _TEXTS),
    "deeplabcut": Kind(".csv", _dlc, _deeplabcut, _TEXTS),
    "keypoints": Kind(".json", _coco_keypoints, _keypoints, _TEXTS),
    "rle": Kind(".txt", _examples("P<:0_T2", "0X1P2"), _rle, (b"o" * 13 + b"0", b"_", b"oooooooo"), named=False),
    "picture": Kind(".jpg", _pictures, _picture, (b"\xff\xda", b"\xff\xc2", b"\xff\xff", b"IEND")),
    "weights": Kind(".safetensors", _shipped, _weights, _TEXTS + _HEADER),
    "checkpoint": Kind(".pth", _checkpoints, _checkpoint, _PICKLE),
    "release": Kind(".ckpt", list, _release, _PICKLE),
    "pickle": Kind(".pkl", _bodies, _body, _PICKLE),
    "npz": Kind(".npz", _archives, _bases, (b"PK\x01\x02", b"(999999999,)", b"|O", b"<U9999999")),
    "configuration": Kind(".cfg", _examples("[walt3d]\nengine = serial\n"), _configuration, _TEXTS),
}
