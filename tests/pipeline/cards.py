"""A camera that sees coloured cards, as the files that a camera's folder holds up to its tracks.

In every frame a blue card stands alone, a red one is half behind a green one, one is truncated by the left border, and
a detection shows nothing but paving.
"""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from pipeline.core import masks
from pipeline.core.tables import FRAMES, TRACKS, to_table

HW = (120, 200)
# actor_id: (box xywh, colour BGR), far to near
CARDS = {
    1: ((20, 30, 24, 40), (200, 60, 40)),
    2: ((90, 30, 24, 40), (40, 40, 200)),
    3: ((102, 40, 24, 50), (40, 180, 40)),
    4: ((0, 80, 14, 30), (30, 200, 200)),
}
NOTHING = (160, 20, 24, 30)


def card_mask(box):
    mask = np.zeros(HW, bool)
    x, y, w, h = box
    mask[y : y + h, x : x + w] = True
    return mask


def visible_mask(actor):
    mask = card_mask(CARDS[actor][0])
    for nearer in range(actor + 1, 5):
        mask &= ~card_mask(CARDS[nearer][0])
    return mask


def picture(frame):
    rng = np.random.default_rng(frame)
    image = rng.normal(120, 6, (*HW, 3))
    for actor, (_, colour) in CARDS.items():
        image[visible_mask(actor)] = np.array(colour) + rng.normal(0, 12, 3)
    return image.clip(0, 255).astype(np.uint8)


def rle(mask):
    ys, xs = np.nonzero(mask)
    return masks.encode(mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], (int(xs.min()), int(ys.min())), HW)


def truth_rows(frame):
    """What of TRUTH the classifier's crops are labelled by."""
    return [
        {
            "frame_id": frame,
            "actor_id": actor,
            "category": "person" if actor == 3 else "vehicle",
            "subcategory": None,
            "mask_amodal_rle": rle(card_mask(box)),
            "mask_visible_rle": rle(visible_mask(actor)),
            "visible_fraction": float(visible_mask(actor).sum() / card_mask(box).sum()),
            "truncation": 0.5 if actor == 4 else 0.0,
            "static_hidden_fraction": 0.0,
            "occluder_ids": [3] if actor == 2 else [],
        }
        for actor, (box, _) in CARDS.items()
    ]


def track_rows(frame):
    shown = [visible_mask(actor) for actor in CARDS] + [card_mask(NOTHING)]
    rows = []
    for number, mask in enumerate(shown, start=1):
        ys, xs = np.nonzero(mask)
        box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
        known = {
            "detection_id": frame * 10000 + number,
            "frame_id": frame,
            "category": "vehicle",
            "subcategory": None,
            "score": 0.9,
        }
        known |= {"bbox_xywh": box, "mask_rle": rle(mask), "track_id": number if number < 5 else -1}
        rows.append(known | {"timestamp": _time(frame), "bucket": "day", "sequence": 0, "foot_xy_m": [0.0, 9.0]})
    return rows


def _time(frame):
    return dt.datetime(2025, 6, 3, 8, tzinfo=dt.UTC) + dt.timedelta(seconds=frame)


def write_camera(folder, frames=3):
    """The camera's folder: frames, tracks and truth."""
    (folder / "frames/images").mkdir(parents=True)
    index, tracks, truth = [], [], []
    for frame in range(frames):
        jpeg = simplejpeg.encode_jpeg(picture(frame), 95, "BGR", "444")
        (folder / f"frames/images/{frame:06d}.jpg").write_bytes(jpeg)
        known = {"frame_id": frame, "timestamp": _time(frame), "bucket": "day", "sequence": 0, "position": -1}
        known |= {"source": f"frames/images/{frame:06d}.jpg", "width": HW[1], "height": HW[0], "status": "ok"}
        index.append(known)
        tracks += [row | {"velocity_xy_mps": [0.0, 0.0]} for row in track_rows(frame)]
        truth += truth_rows(frame)
    (folder / "truth").mkdir(parents=True)
    pq.write_table(to_table(index, FRAMES), folder / "frames/index.parquet")
    pq.write_table(to_table(tracks, TRACKS), folder / "tracks.parquet")
    pq.write_table(pa.Table.from_pylist(truth), folder / "truth/part-00000.parquet")
    return folder
