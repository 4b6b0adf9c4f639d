"""Couples drawn as stick figures, left limbs bright, right ones dark: the front one's discs hide joints behind them."""

import cv2
import numpy as np

from models.opec_net import BaseSettings, GraphSettings, OpecNetSettings
from models.people_groups.picture import GroupPerson, GroupPicture
from models.people_groups.store import SCHEMA, row_of
from models.synthetic.photograph import encoded_jpeg
from pipeline.core.skeletons import PEOPLE_19
from pipeline.core.storage import write_table

# A network that is quick with them.
SMALL_OPEC_NET = OpecNetSettings(
    height_px=96,
    width_px=96,
    base=BaseSettings(widths=(8, 12, 16, 24), blocks=(1, 1, 1, 1), deconvolutions=(16, 12, 8)),
    graph=GraphSettings(first=16, width=16, adapted=(12, 8, 8)),
    least_visible=0,
    least_oks=0.0,
)
SIZE_HW = (150, 170)
DISC_PX = 5
# Standing, facing the camera, in heights from the head down; left is at the right of the picture.
PLACES = {
    "nose": (0, 0.09), "eye": (0.02, 0.07), "ear": (0.05, 0.08), "shoulder": (0.12, 0.2), "elbow": (0.17, 0.36),
    "wrist": (0.19, 0.5), "hip": (0.08, 0.53), "knee": (0.09, 0.75), "ankle": (0.1, 0.97), "head": (0, 0.0),
    "neck": (0, 0.17),
}  # fmt: skip


def figure(rng, middle_x, height):
    """(19, 2) px of somebody whose limbs are anywhere near where they stand."""
    xy = np.zeros((len(PEOPLE_19), 2))
    for k, name in enumerate(PEOPLE_19.names):
        side = {"left": 1, "right": -1}.get(name.split("_")[0], 0)
        x, y = PLACES[name.split("_")[-1]]
        loose = 0.07 if name.endswith(("elbow", "wrist", "knee")) else 0.02
        xy[k] = [middle_x + height * (side * x), 8 + height * y] + height * loose * rng.standard_normal(2)
    return np.clip(xy, 1, np.array(SIZE_HW[::-1]) - 2)


def draw(image, xy, colour):
    for a, b in PEOPLE_19.links:
        shade = 1.0 if PEOPLE_19.names[b].startswith("left") else 0.55
        ends = [tuple(int(v) for v in np.round(xy[k])) for k in (a, b)]
        cv2.line(image, *ends, tuple(int(shade * c) for c in colour), 4, cv2.LINE_AA)
    for x, y in np.round(xy).astype(int).tolist():
        cv2.circle(image, (x, y), DISC_PX, colour, -1, cv2.LINE_AA)


def couple(number, split, apart=22.0):
    """(picture, RGB image) of two figures; the second stands before the first."""
    rng = np.random.default_rng([number, len(split)])
    image = np.full((*SIZE_HW, 3), rng.integers(30, 90, 3), np.uint8)
    height = rng.uniform(115, 130)
    points = [figure(rng, SIZE_HW[1] / 2 + side * apart / 2, height) for side in (-1, 1)]
    for xy, colour in zip(points, ((230, 120, 90), (90, 150, 240)), strict=True):
        draw(image, xy, colour)
    behind = np.linalg.norm(points[0][:, None] - points[1][None], axis=-1).min(1) < DISC_PX
    states = [np.where(behind, 2, 0), np.zeros(len(PEOPLE_19), int)]
    hiders = [np.where(behind, 1, -1), np.full(len(PEOPLE_19), -1)]
    people = tuple(
        person(*one, f"{split}{number}-{k}") for k, one in enumerate(zip(points, states, hiders, strict=True))
    )
    name = f"{split}-{number}"
    return GroupPicture(name, SIZE_HW, people, PEOPLE_19, lambda: image, split, "stands"), image


def person(xy, state, hidden_by, identity):
    low, high = xy.min(0) - DISC_PX, xy.max(0) + DISC_PX
    return GroupPerson(np.r_[low, high - low], xy, state, hidden_by, 0.4 * float((high - low).prod()), identity)


def write_couples(folder, counts):
    """Shards of so many couples of each split, as rendered ones lie on disk."""
    import pyarrow as pa

    for split, count in counts.items():
        pictures = (couple(number, split) for number in range(count))
        rows = [
            row_of(picture, encoded_jpeg(image[..., ::-1], 95), n, 0.0) for n, (picture, image) in enumerate(pictures)
        ]
        write_table(folder / split / "part-00000.parquet", pa.Table.from_pylist(rows, SCHEMA))
