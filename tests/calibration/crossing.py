"""People and cars at a crossing, exactly as the outlines have them: what a perfect detector would see."""

import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.rulers import CAR_LWH_M, PERSON_M
from calibration.traffic.evidence import WALK_MPS
from calibration.traffic.outlines import CAR, PERSON, boxes_of
from calibration.traffic.tracks import tracks_of

SIZE = (720, 1280)
CAMERA = Camera(np.array([[1100.0, 0, 639.5], [0, 1100, 359.5], [0, 0, 1]]), SIZE)
PLANE = GroundPlane.from_tilt(17, 1.0, 7.5)
TURN = np.radians(35)


def crossing(camera=CAMERA, plane=PLANE, *, cars=12, people=8, turns=(0.0, np.pi / 2), seed=0, spread=0.0, noise=0.0):
    """Tracks of so many cars and people along each of the roads, whose sizes differ by `spread` (ln); boxes are off by
    a fraction `noise` of their sides."""
    rng = np.random.default_rng(seed)
    rows = []
    for road, turn in enumerate(turns):
        for kind, count, speed, reach in ((CAR, cars, 8.0, 26), (PERSON, people, WALK_MPS, 14)):
            for k in range(count):
                yaw = TURN + turn
                along = np.array([np.cos(yaw), np.sin(yaw)])
                off = rng.choice([-1, 1]) * (1.8 if kind == CAR else rng.uniform(3, 7))
                beside = off * np.array([-along[1], along[0]])
                s = np.linspace(-reach, reach, 25)[:, None]
                place = np.array([0.0, 26.0]) + beside + s * along
                base = np.array(CAR_LWH_M) if kind == CAR else np.full(3, PERSON_M)
                lwh = base * np.exp(spread * rng.normal(size=3) if kind == CAR else spread / 2 * rng.normal())
                n = len(place)
                box = boxes_of(camera, plane, np.full(n, kind), place, np.full(n, yaw), np.tile(lwh, (n, 1)))
                box = box + noise * np.tile(box[:, 2:], 2) * rng.normal(size=box.shape)
                who = np.full(n, 100 * road + 20 * kind + k + 1000 * k)
                rows.append(np.column_stack([box, np.full(n, kind), who, s[:, 0] / speed]))
    table = np.concatenate(rows)
    table = table[np.isfinite(table).all(axis=1)]
    return tracks_of(table[:, :4], table[:, 4].astype(int), table[:, 5].astype(int), table[:, 6], camera.size_hw)
