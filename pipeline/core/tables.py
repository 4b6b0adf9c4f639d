"""The columns of every table, each with its unit, shape, source and meaning, declared once.

Boxes are xywh in COCO's edge coordinates, masks COCO run-length strings of the whole frame, keypoints in
pixel-centre coordinates. Lists are flat; `reshape` to the shape named here. Camera frame: x right, y down,
z forward, metres.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.skeletons import COCO_17, SMPL_24, VEHICLE_12

CATEGORY_IDS = {"person": 1, "vehicle": 2}
KEYPOINT_STATES = ("visible", "self_occluded", "occluded", "truncated")
MODES = ("walt3d", "walt2d_ordered", "walt2d_released")

_F32S, _F64S, _I64S = pa.list_(pa.float32()), pa.list_(pa.float64()), pa.list_(pa.int64())
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def column(
    name: str, type_: pa.DataType, meaning: str, *, unit: str = "", shape: str = "", source: str = ""
) -> pa.Field:
    """A field whose metadata says what it holds; `source` names the stage that computes it."""
    about = {"meaning": meaning, "unit": unit, "shape": shape, "source": source}
    return pa.field(name, type_, metadata={k: v for k, v in about.items() if v})


_FRAME_ID = column("frame_id", pa.int64(), "the frame, numbered by time within the camera", source="frames")
_TIMESTAMP = column("timestamp", pa.timestamp("us", tz="UTC"), "when it was taken", source="frames")
_BUCKET = column("bucket", pa.string(), "time bucket, whose median is the background", source="frames")
_CATEGORY = column("category", pa.string(), "person or vehicle", source="detect")
_SUBCATEGORY = column(
    "subcategory", pa.string(), "the detector's own class: car, van, bus, lorry, motorbike, bicycle, person, rider or "
    "a name of its own; null where it tells no more than the category", source="detect",
)  # fmt: skip
_SCORE = column("score", pa.float32(), "the detector's confidence, 0 to 1", source="detect")
_BOX = column("bbox_xywh", _F32S, "tight box of the mask", unit="px", shape="4", source="detect")
_MASK = column("mask_rle", pa.string(), "COCO run-length counts", shape="frame height x width", source="detect")
_SPLIT = column("split", pa.string(), "train | val, apart by time and by track", source="compose")
_TRACK_ID = column("track_id", pa.int64(), "one object followed through a sequence; -1 untracked", source="track")

FRAMES = pa.schema(
    [
        _FRAME_ID,
        _TIMESTAMP,
        _BUCKET,
        column("sequence", pa.int64(), "run of frames without a long gap; tracks never cross it", source="frames"),
        column("source", pa.string(), "image or video file; relative ones to the camera's folder", source="frames"),
        column("position", pa.int64(), "frame number inside a video, -1 for an image file", source="frames"),
        column("width", pa.int64(), "frame width", unit="px", source="frames"),
        column("height", pa.int64(), "frame height", unit="px", source="frames"),
        column("status", pa.string(), "ok, or why the frame is not used", source="frames"),
    ]
)

DETECTIONS = pa.schema(
    [
        column("detection_id", pa.int64(), "frame_id * 10000 + number in the frame", source="detect"),
        _FRAME_ID,
        _CATEGORY,
        _SUBCATEGORY,
        _SCORE,
        _BOX,
        _MASK,
    ]
)

_FOOT = column("foot_xy_m", _F64S, "ground point under the box's bottom; NaN without one", unit="m", shape="2",
               source="track")  # fmt: skip
_VELOCITY = column("velocity_xy_mps", _F64S, "smoothed ground velocity; NaN for lone boxes", unit="m/s", shape="2",
                   source="track")  # fmt: skip

TRACKS = pa.schema(
    [
        *DETECTIONS,
        _TIMESTAMP,
        _BUCKET,
        column("sequence", pa.int64(), "sequence of the frame", source="frames"),
        _TRACK_ID,
        _FOOT,
        _VELOCITY,
    ]
)

IGNORED = pa.schema([
    column("bucket", pa.string(), "time bucket of the background", source="empty street"),
    column("reason", pa.string(), "standing | ghost | unwatched", source="empty street"),
    column("category", pa.string(), "person or vehicle; null where nobody knows", source="detect"),
    _SUBCATEGORY, _SCORE,
    column("mask_rle", pa.string(), "COCO run-length counts", shape="frame height x width", source="empty street"),
])  # fmt: skip

CUTOUTS = pa.schema(
    [
        column("cutout_id", pa.int64(), "the detection_id it was cut from", source="mine"),
        *[f for f in TRACKS if f.name != "detection_id"],
        column("stationary", pa.bool_(), "stands still: one cutout for the whole stay", source="mine"),
        column("sprite", pa.binary(), "PNG, BGRA with a soft alpha edge, of the crop", source="mine"),
        column("sprite_xy", _I64S, "top-left pixel of the sprite in the frame", unit="px", shape="2", source="mine"),
        column("shadow", pa.binary(), "PNG, 8 bit: light left in the shadow, 255 all; null without", source="mine"),
        column("shadow_xy", _I64S, "top-left pixel of the shadow in the frame", unit="px", shape="2", source="mine"),
        column("halo", pa.binary(), "PNG, BGR of the sprite's size: 128 + what the lens adds around it", source="mine"),
    ]
)

# The columns of a cutout's pixels, which only who paints it reads.
PIXELS = ("sprite", "sprite_xy", "shadow", "shadow_xy", "halo")

_GEOMETRY = [
    column(
        "z_m", pa.float64(), "depth of the ground contact; breaks ties, does not order", unit="m", source="reconstruct"
    ),
    column(
        "keypoints_2d",
        _F32S,
        f"{len(VEHICLE_12)} vehicle or {len(COCO_17)} COCO person keypoints",
        unit="px",
        shape="N,2",
        source="reconstruct",
    ),
    column(
        "keypoint_state", pa.list_(pa.string()), " | ".join(KEYPOINT_STATES), shape="N", source="reconstruct, compose"
    ),
    column("keypoint_score", _F32S, "confidence, 0 to 1", shape="N", source="reconstruct"),
    column("keypoints_3d", _F32S, "the same in the camera frame", unit="m", shape="N,3", source="reconstruct"),
    column("R", _F64S, "X_cam = R X_obj + t; object x forward, y left, z up", shape="3,3", source="reconstruct"),
    column(
        "t", _F64S, "ground point under the object's centre, camera frame", unit="m", shape="3", source="reconstruct"
    ),
    column("dims_lwh_m", _F64S, "length, width, height", unit="m", shape="3", source="reconstruct"),
    column(
        "footprint_m", _F64S, "convex outline on the ground, object frame", unit="m", shape="N,2", source="reconstruct"
    ),
    column(
        "ground_cov", _F64S, "covariance of world x, y and yaw", unit="m, m, rad", shape="3,3", source="reconstruct"
    ),
    column("shape", _F64S, "shape basis coefficients; null without a basis", shape="K", source="reconstruct"),
    column("shape_basis", pa.string(), "name of the basis of `shape`", source="reconstruct"),
    column("body_model", pa.string(), "body model of smpl_*; null for vehicles", source="reconstruct"),
    column(
        "smpl_theta",
        _F64S,
        "SMPL pose, axis-angle; the first is the orientation in the camera",
        unit="rad",
        shape=f"{len(SMPL_24)},3",
        source="reconstruct",
    ),
    column("smpl_beta", _F64S, "SMPL shape", shape="10", source="reconstruct"),
    column("smpl_transl", _F64S, "SMPL's transl, camera frame", unit="m", shape="3", source="reconstruct"),
    column("fit_residual_px", pa.float64(), "how far the model's outline is off", unit="px", source="reconstruct"),
    column("fit_ok", pa.bool_(), "the fit may be trusted for depth order", source="reconstruct"),
]

RECONSTRUCTED = pa.schema([
    column("cutout_id", pa.int64(), "the cutout", source="mine"),
    _TRACK_ID, _FRAME_ID, _BUCKET, _CATEGORY, _SUBCATEGORY, *_GEOMETRY,
    column("turned_probability", pa.float64(), "how likely a vehicle faces away from where R has it; where nothing "
           "tells it has no keypoints. Null where no keypoints were fitted", source="reconstruct"),
    column("refusal", pa.string(), "why it is not composed; null when it may be", source="reconstruct"),
])  # fmt: skip

_HUGGINGFACE = {"info": {"features": {name: {"_type": "Image"} for name in ("image", "depth", "normals")}}}

_STRINGS = pa.list_(pa.string())
_IGNORE = [
    column("ignore_rle", _STRINGS, "regions of the background with objects that no label tells of, or their ghosts: "
           "neither right nor wrong", shape="R of height x width", source="empty street"),
    column("ignore_reason", _STRINGS, "standing: all day | ghost: of what stood there | unwatched: by the manifest",
           shape="R", source="empty street"),
    column("ignore_category", _STRINGS, "person or vehicle; null unknown", shape="R", source="detect"),
]  # fmt: skip
_GROUND_PLANE = column("ground_plane", _F64S, "n and d of n.X + d = 0, n up: d is the camera's height", shape="4",
                       source="manifest")  # fmt: skip
_MAPS = [
    column("depth", _IMAGE, "16-bit PNG along z, 0 none, of the objects' solids and the ground; null unless asked for",
           unit="cm", source="compose"),
    column("normals", _IMAGE, "RGB PNG, n * 127.5 + 127.5 in the camera frame, 0 0 0 none; null unless asked for",
           source="compose"),
]  # fmt: skip

IMAGES = pa.schema(
    [
        column(
            "scene_id",
            pa.string(),
            "camera/variant/shard/number, unique among all data sets of a data root",
            source="compose",
        ),
        column("camera_id", pa.string(), "camera", source="manifest"),
        column("shard", pa.int64(), "number of the shard", source="compose"),
        column("seed", pa.int64(), "seed of the dataset", source="compose"),
        column("mode", pa.string(), " | ".join(MODES), source="compose"),
        column("background", pa.string(), "time bucket whose empty street the objects stand on", source="empty street"),
        column("timestamp", pa.timestamp("us", tz="UTC"), "of the latest pasted frame", source="frames"),
        _SPLIT,
        column("width", pa.int64(), "image width", unit="px", source="frames"),
        column("height", pa.int64(), "image height", unit="px", source="frames"),
        column("K", _F64S, "camera matrix, row by row", unit="px", shape="3,3", source="manifest"),
        column("distortion", _F64S, "OpenCV's k1 k2 p1 p2 k3 and on, or a fisheye's 4", shape="5", source="manifest"),
        _GROUND_PLANE,
        column("image", _IMAGE, "the composed picture, a JPEG", source="compose"),
        column("n_objects", pa.int64(), "objects in the scene", source="compose"),
        *_IGNORE,
        *_MAPS,
    ],
    metadata={"huggingface": json.dumps(_HUGGINGFACE)},
)

OBJECTS = pa.schema(
    [
        column("scene_id", pa.string(), "the scene in `images`", source="compose"),
        column("object_id", pa.int64(), "number in the scene, from 0", source="compose"),
        column("cutout_id", pa.int64(), "the cutout that was pasted", source="mine"),
        _TRACK_ID,
        column("source_frame", pa.int64(), "frame_id it was cut from", source="mine"),
        _SPLIT,
        _CATEGORY,
        _SUBCATEGORY,
        column("category_id", pa.int64(), json.dumps(CATEGORY_IDS), source="detect"),
        column("depth_order", pa.int64(), "0 is the nearest", source="compose"),
        column(
            "bbox_amodal_xywh",
            _F32S,
            "box of the whole object; may leave the frame",
            unit="px",
            shape="4",
            source="mine",
        ),
        column(
            "bbox_visible_xywh",
            _F32S,
            "box of the visible part; null when hidden",
            unit="px",
            shape="4",
            source="compose",
        ),
        column("mask_amodal_rle", pa.string(), "the whole object", shape="height x width", source="mine"),
        column(
            "mask_visible_rle", pa.string(), "what nearer objects leave of it", shape="height x width", source="compose"
        ),
        column("px_count_all", pa.int64(), "pixels of the amodal mask", unit="px", source="mine"),
        column("px_count_visib", pa.int64(), "pixels of the visible mask", unit="px", source="compose"),
        column("visible_fraction", pa.float32(), "px_count_visib / px_count_all", source="compose"),
        column("truncation", pa.float32(), "share of the object outside the frame", source="mine"),
        column("occluder_ids", _I64S, "object_ids that hide part of it", source="compose"),
        *_GEOMETRY,
        _SCORE,
    ]
)

TABLES = {
    "frames": FRAMES,
    "detections": DETECTIONS,
    "tracks": TRACKS,
    "ignored": IGNORED,
    "cutouts": CUTOUTS,
    "reconstructed": RECONSTRUCTED,
    "images": IMAGES,
    "objects": OBJECTS,
}


def to_table(rows: Iterable[dict], schema: pa.Schema) -> pa.Table:
    """Rows as a table; a row whose keys are not exactly the schema's is refused."""
    rows = list(rows)
    expected = set(schema.names)
    for row in rows:
        if set(row) != expected:
            raise ValueError(f"row keys: missing {sorted(expected - set(row))}, unknown {sorted(set(row) - expected)}")
    return pa.Table.from_pylist(rows, schema=schema)


def matrix(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """(N, width) float64 of a list column. Raises ValueError where a row is null or holds another number of values."""
    if not pc.all(pc.fill_null(pc.equal(pc.list_value_length(column), width), False)).as_py() and len(column):
        raise ValueError(f"list column: expected {width} numbers in each of {len(column)} rows, got others")
    return pc.list_flatten(column).to_numpy().astype(float).reshape(-1, width)


def describe(schema: pa.Schema) -> str:
    """One line a column: name, type, shape, unit, meaning, source."""
    lines = []
    for f in schema:
        about = {k.decode(): v.decode() for k, v in (f.metadata or {}).items()}
        shape = f" ({about['shape']})" if "shape" in about else ""
        unit = f" [{about['unit']}]" if "unit" in about else ""
        lines.append(f"  {f.name:<18} {f.type!s:<26}{about['meaning']}{shape}{unit}; from {about['source']}")
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(f"{name}\n{describe(schema)}" for name, schema in TABLES.items()))
