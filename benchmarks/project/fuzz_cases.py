"""Files that once broke a reader, by kind and name, for benchmarks.fuzz: each is read as it is, and mutated.

Those of tests/hostile whose name begins with `KIND-`, as the ones that benchmarks.fuzz keeps, are known by that;
the others by `_FILES`. What a line can write is written here.
"""

from __future__ import annotations

from pathlib import Path

HOSTILE = Path(__file__).resolve().parents[2] / "tests" / "hostile"
_FILES = {
    "manifest": "yaml/*.yaml", "tsai": "yaml/t.xml", "picture": "jpeg_*.jpg", "weights": "cfg*.safetensors",
    "release": "hmr_*.ckpt", "pickle": "hostile_*.pkl", "npz": "npy.npz",
}  # fmt: skip
_IMAGES = b"source: {kind: images, folder: ., glob: '*.jpg', time_pattern: '%Y%m%d-%H%M%S_*', time_zone: UTC}\n"
_VIDEO = b"source: {kind: video, path: v.mp4, start: '2025-06-03 07:00:00', time_zone: UTC}\n"
_MASK = b'{"images": [{"id": 1, "file_name": "f0.jpg"}], "categories": [{"id": 1, "name": "car"}], "annotations": [' \
    b'{"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [48, 64], "counts": %s}}]}'  # fmt: skip
_TSAI = b'<Camera><Geometry width="768" height="576" dpx="0" dpy="0.005"/><Intrinsic focal="5" kappa1="0" cx="3" ' \
    b'cy="2" sx="1"/><Extrinsic tx="0" ty="0" tz="5000" rx="1" ry="0" rz="0"/></Camera>'  # fmt: skip
_WRITTEN = {
    "manifest": {
        "deep": b"source: " + b"[" * 20_000,
        "huge-integer": _VIDEO.replace(b"v.mp4", b"v.mp4, first: " + b"9" * 6000),
        "no-such-user": _VIDEO.replace(b"v.mp4", b"~nosuchuser/v.mp4"),
        "nul": _VIDEO.replace(b"v.mp4", b'"v\\0.mp4"'),
        "surrogate": _VIDEO.replace(b"v.mp4", b'"\\ud800.mp4"'),
        "year-1": _VIDEO.replace(b"2025", b"0001").replace(b"UTC", b"Asia/Tokyo"),
        "year-9999": _VIDEO.replace(b"2025-06-03 07", b"9999-12-31 23").replace(b"UTC", b"America/New_York"),
        "month-13": _VIDEO.replace(b"2025-06", b"2025-13"),
        "glob-dot": _IMAGES.replace(b"*.jpg", b"."),
        "glob-above": _IMAGES.replace(b"*.jpg", b"../../**/*"),
        "many-stars": _IMAGES.replace(b"_*", b"_*" * 30),
    },
    "tsai": {"dpx-0": _TSAI, "entity": b'<!DOCTYPE a [<!ENTITY b "c">]><Camera>&b;</Camera>'},
    "coco": {
        "counts-of-2-to-62": _MASK % b"[4611686018427387904, 1]",
        "counts-below-0": _MASK % b"[-5, 3077]",
        "no-counts": _MASK % b'""',
        "counts-not-ascii": _MASK % b'"\\u00ff\\ud800"',
        "deep": b"[" * 100_000,
        "huge-integer": b"[" + b"9" * 6000 + b"]",
    },
    "rle": {"empty": b"", "not-ascii": b"\xff\xfe", "endless": b"o" * 4000},
    "csv": {"nul": b"frame_id,x\n\0,1\n", "one-long-cell": b"frame_id,x\n" + b"1" * 200_000},
    "cvat": {"entity": b'<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "deep": b"<a>" * 20_000},
    "configuration": {"no-section": b"engine = serial\n", "twice": b"[a]\nb = 1\nb = 2\n"},
}  # fmt: skip


def known(kind: str, ending: str) -> dict[str, bytes]:
    """The cases of a kind by their names."""
    files = sorted({*HOSTILE.glob(f"{kind}-*{ending}"), *HOSTILE.glob(_FILES.get(kind, f"{kind}-*{ending}"))})
    return {path.stem: path.read_bytes() for path in files} | _WRITTEN.get(kind, {})
