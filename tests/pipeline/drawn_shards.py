"""Small shards with all that an export must keep: a person, keypoints of every state, a mask with a hole and in parts,
a wholly hidden object, one without a place, one of no track, and regions to ignore."""

import boxes
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shard_files import write_objects
from pipeline.composition.shards import ShardJob, compose_shard
from pipeline.core import masks
from pipeline.core.storage import write_table
from pipeline.core.tables import IGNORED, KEYPOINT_STATES, OBJECTS, to_table
from pipeline.empty_street.regions import FILE
from pipeline.export.registry import ExportJob, format_of

SCENES, SHARDS = 10, 2


def write_clipart(root, *, geometry=False):
    """The folder of shards; the scenes of one camera, `drawn`."""
    folder = root / "drawn"
    boxes.write_camera(folder, boxes.street(40))
    region = {"bucket": "noon", "reason": "standing", "category": "vehicle", "subcategory": "van", "score": 0.7}
    place = masks.encode(np.ones((60, 90), bool), (100, 120), boxes.SIZE_HW)
    ghost = dict.fromkeys(region) | {"bucket": "noon", "reason": "ghost"}
    corner = masks.encode(np.ones((9, 9), bool), (0, 0), boxes.SIZE_HW)
    write_table(folder / FILE, to_table([region | {"mask_rle": place}, ghost | {"mask_rle": corner}], IGNORED))
    settings = ComposeSettings(objects_min=2, objects_max=8, objects_mean=5, geometry=geometry)
    for shard in range(SHARDS):
        job = ShardJob("drawn", folder, folder / "clipart", boxes.CAMERA, boxes.PLANE, 5, shard, SHARDS,
                       SCENES // SHARDS, settings=settings)  # fmt: skip
        compose_shard(job)
        _varied(job.paths[1], shard)
    return folder / "clipart"


def _varied(part, seed):
    rng = np.random.default_rng(seed)
    rows = pq.read_table(part).to_pylist()
    for number, row in enumerate(rows):
        if number % 4 == 3:
            _as_person(row, rng)
        if number % 5 == 1:
            _pierced(row)
        row["subcategory"] = (None, "van", "bus", "bicycle")[number % 4] if row["category"] == "vehicle" else None
    rows[2] |= dict.fromkeys(("R", "t", "dims_lwh_m", "keypoints_2d", "keypoints_3d", "keypoint_state"))
    rows[0]["track_id"] = -1
    hidden = max(rows, key=lambda row: row["depth_order"])
    empty = masks.encode(np.zeros((1, 1), bool), (0, 0), boxes.SIZE_HW)
    hidden |= {"bbox_visible_xywh": None, "mask_visible_rle": empty, "px_count_visib": 0, "visible_fraction": 0.0}
    write_objects(part, pa.Table.from_pylist(rows, schema=OBJECTS))


def _as_person(row, rng):
    x, y, w, h = row["bbox_amodal_xywh"]
    places = np.round(rng.uniform([x, y], [x + w, y + h], (17, 2)), 2).astype(np.float32)
    states = [KEYPOINT_STATES[k % 4] for k in range(17)]
    row |= {"category": "person", "category_id": 1, "keypoints_2d": places.ravel().tolist(), "keypoint_state": states}
    row |= {"keypoints_3d": None, "keypoint_score": None}


def _pierced(row):
    """With a hole of 3 x 2 pixels, and a line that parts it in two."""
    whole, seen = (masks.full(row[f"mask_{kind}_rle"], boxes.SIZE_HW) for kind in ("amodal", "visible"))
    _, (x, y, w, h) = masks.decode(row["mask_amodal_rle"], boxes.SIZE_HW)
    gone = np.zeros(boxes.SIZE_HW, bool)
    gone[y + h // 3 : y + h // 3 + 2, x + w // 3 : x + w // 3 + 3] = True
    gone[y : y + h, x + 2 * w // 3] = True
    for kind, count, mask in (("amodal", "all", whole & ~gone), ("visible", "visib", seen & ~gone)):
        rle = masks.encode(mask, (0, 0), boxes.SIZE_HW)
        box = masks.decode(rle, boxes.SIZE_HW)[1]
        row |= {f"mask_{kind}_rle": rle, f"px_count_{count}": int(mask.sum()), f"bbox_{kind}_xywh": list(box)}
    row["visible_fraction"] = row["px_count_visib"] / row["px_count_all"]
    if not row["px_count_visib"]:
        row["bbox_visible_xywh"] = None


def export(name, clipart, out, settings=None):
    """What a format writes, and its account."""
    out.mkdir(parents=True)
    kind = format_of(name)
    settings = settings or (kind.settings() if kind.settings else None)
    return kind.write(ExportJob(clipart, out, "drawn", "walt3d", settings))
