"""Three tiny scenes of coloured boxes on grey, as the gallery shows them.

Scene 0, near to far: a red vehicle over a blue one, and a green person aside. Scene 1: the person alone.
Scene 2: one object whose class is hostile text and whose geometry is unknown.
"""

import datetime as dt

import cv2
import numpy as np

from pipeline.core import masks, storage, tables
from pipeline.gallery.page import build_gallery

SIZE_HW = (120, 160)
HOSTILE = """</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'&"""
RED, BLUE, GREEN, GREY = (40, 40, 220), (220, 60, 40), (60, 200, 60), (128, 128, 128)
# cutout_id: box xywh, colour (BGR), category, depth in metres
THINGS = {
    1: ((20, 40, 50, 40), RED, "vehicle", 8.0),
    2: ((50, 30, 50, 40), BLUE, "vehicle", 12.0),
    3: ((120, 20, 16, 48), GREEN, "person", 15.0),
    4: ((60, 60, 30, 30), RED, HOSTILE, None),
    5: ((40, 40, 50, 40), BLUE, "vehicle", 12.0),
    6: ((25, 40, 50, 40), BLUE, "vehicle", 12.0),
}
SCENES = {"000": [1, 2, 3], "001": [3], "002": [4]}
# Of the blue vehicles 2, 5 and 6 the red one hides 30, 60 and 90 %; by the remainder of a scene's number:
MANY = {f"{n:03d}": ([3], [1, 2], [1, 5, 3], [1, 6])[n % 4] for n in range(130)}
OVERLAP, RED_ONLY = (60, 60), (30, 70)


def sprite_png(box, colour):
    bgra = np.full((box[3], box[2], 4), (*colour, 255), np.uint8)
    return cv2.imencode(".png", bgra)[1].tobytes()


def cutout_row(cutout_id):
    box, colour, category, _ = THINGS[cutout_id]
    row = {"cutout_id": cutout_id, "category": category, "sprite": sprite_png(box, colour), "sprite_xy": box[:2]}
    row["mask_rle"] = masks.encode(np.ones((box[3], box[2]), bool), box[:2], SIZE_HW)
    if cutout_id == 1:  # a shadow that reaches 10 px below the red vehicle and takes half of the light
        light = np.full((10, box[2]), 128, np.uint8)
        row |= {"shadow": cv2.imencode(".png", light)[1].tobytes(), "shadow_xy": [box[0], box[1] + box[3]]}
    return dict.fromkeys(tables.CUTOUTS.names) | row


def object_rows(scene, cutout_ids):
    """Rows near to far; what is nearer hides what is farther."""
    taken = np.zeros(SIZE_HW, bool)
    for rank, cutout_id in enumerate(cutout_ids):
        (x, y, w, h), _, category, z_m = THINGS[cutout_id]
        visible = ~taken[y : y + h, x : x + w]
        amodal = masks.encode(np.ones((h, w), bool), (x, y), SIZE_HW)
        taken[y : y + h, x : x + w] = True
        row = {"scene_id": scene, "object_id": 10 + rank, "cutout_id": cutout_id, "track_id": 70 + cutout_id}
        row |= {"category": category, "depth_order": rank, "z_m": z_m or float("nan"), "source_frame": 500 + cutout_id}
        row |= {"bbox_amodal_xywh": [x, y, w, h], "bbox_visible_xywh": [x, y, w, h], "mask_amodal_rle": amodal}
        row |= {"mask_visible_rle": masks.encode(visible, (x, y), SIZE_HW), "px_count_all": w * h}
        row |= {"px_count_visib": int(visible.sum()), "visible_fraction": float(visible.mean()), "truncation": 0.0}
        row |= {"occluder_ids": [10] if not visible.all() else [], "fit_ok": True, "score": 0.9}
        if z_m:
            row |= {"R": [0, -1, 0, 0, 0, -1, 1, 0, 0], "t": [(x + w / 2 - 80) * z_m / 100, 2.0, z_m]}
            row |= {
                "dims_lwh_m": [4.0, 2.0, 1.5],
                "keypoints_2d": [x + 5, y + 5, x + w - 5, y + h - 5, float("nan"), 0],
            }
            row |= {"keypoint_state": ["visible", "occluded", "truncated"]}
        yield dict.fromkeys(tables.OBJECTS.names) | row


def picture_of(cutout_ids):
    picture = np.full((*SIZE_HW, 3), GREY, np.uint8)
    for (x, y, w, h), colour, _, _ in (THINGS[i] for i in reversed(cutout_ids)):
        if colour == RED and (x, y) == (20, 40):
            picture[y + h : y + h + 10, x : x + w] = np.rint(picture[y + h : y + h + 10, x : x + w] * (128 / 255))
        picture[y : y + h, x : x + w] = colour
    return picture


def image_row(scene, cutout_ids):
    row = {"scene_id": scene, "camera_id": f"cam{HOSTILE}", "shard": int(scene) // 2, "seed": 5, "mode": "walt3d"}
    row |= {"background": "08h", "timestamp": dt.datetime(2026, 6, 1, 8, tzinfo=dt.UTC), "n_objects": len(cutout_ids)}
    row |= {"split": "val" if int(scene) % 5 == 4 else "train"}
    row |= {"width": SIZE_HW[1], "height": SIZE_HW[0], "K": [100, 0, 79.5, 0, 100, 59.5, 0, 0, 1]}
    row |= {"distortion": [0.0] * 5, "ground_plane": [0.0, -1.0, 0.0, 2.0]}
    jpeg = cv2.imencode(".jpg", picture_of(cutout_ids), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    return dict.fromkeys(tables.IMAGES.names) | row | {"image": {"bytes": jpeg, "path": None}}


def write_shards(camera, scenes, per_shard=2):
    shards = -(-len(scenes) // per_shard)
    for shard in range(shards):
        mine = {s: ids for s, ids in scenes.items() if int(s) // per_shard == shard}
        part = f"part-{shard:05d}-of-{shards:05d}.parquet"
        images = tables.to_table([image_row(s, ids) for s, ids in mine.items()], tables.IMAGES)
        objects = tables.to_table([r for s, ids in mine.items() for r in object_rows(s, ids)], tables.OBJECTS)
        storage.write_table(camera / "clipart/images" / part, images)
        storage.write_table(camera / "clipart/objects" / part, objects)


def write_camera(folder, scenes=SCENES, per_shard=2):
    """Fill a camera's folder: its shards, the background and the cutouts they were painted from."""
    write_shards(folder, scenes, per_shard)
    cutouts = tables.to_table(map(cutout_row, THINGS), tables.CUTOUTS)
    storage.write_table(folder / "cutouts/part-00000.parquet", cutouts)
    (folder / "background").mkdir()
    cv2.imwrite(str(folder / "background/08h.png"), np.full((*SIZE_HW, 3), GREY, np.uint8))
    build_gallery(folder / "clipart", folder / "gallery.html", layers=folder)
    build_gallery(folder / "clipart", folder / "without.html")
    return folder
