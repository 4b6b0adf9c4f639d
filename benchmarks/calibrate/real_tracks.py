"""Real tracks that others made: who walks at PETS, what drives past BrnoCompSpeed's cameras, Rope3D's cars.

Ten people who walk about, or points on a straight motorway, do not determine a camera: that must be told, and with one
distance given the others must be right.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibrate.from_traffic import ground_error
from benchmarks.common.job import REAL
from benchmarks.common.report import Bar
from benchmarks.pipeline.real_cameras import annotated_boxes
from calibration.camera import Camera, GroundPlane
from calibration.control_points import named
from calibration.forms.tsai import from_tsai, read_tsai
from calibration.traffic.evidence import Distance
from calibration.traffic.fit import TrafficFit, calibrate_from_traffic
from calibration.traffic.outlines import CAR, PERSON
from calibration.traffic.solver import Known
from calibration.traffic.tracks import POINT, Tracks, tracks_of

_PETS_FPS, _BRNO_FPS = 7.0, 50.0
_GOOD = 0.06  # of ground distances
_SAME_S = 0.4  # a track and a car of the gates that pass a line so near in time are one
SESSIONS = ("session1_left", "session4_center")
_BRNO_HW = (1080, 1920)


def row_of(name: str, fit: TrafficFit, **more: Any) -> dict[str, Any]:
    """What was found."""
    focal, tilt, roll, height = named(fit.camera, fit.plane)
    return {"tracks": name, "focal_px": focal, "tilt_deg": tilt, "roll_deg": roll, "height_m": height,
            "open": ", ".join(fit.undetermined) or "nothing", **more}  # fmt: skip


def pets() -> tuple[list[dict[str, Any]], list[Bar]]:
    """The annotated boxes of 400 frames, against Tsai's numbers."""
    folder = REAL / "pets_s2l1"
    camera, plane = from_tsai(read_tsai(folder / "View_001.xml"))
    table = annotated_boxes(folder / "PETS2009-S2L1_frames0000-0399.xml")
    box = table[["x", "y", "w", "h"]].to_numpy(float)
    kind = np.full(len(box), PERSON)
    tracks = tracks_of(
        box, kind, table["person"].to_numpy(int), table["frame"].to_numpy(float) / _PETS_FPS, camera.size_hw
    )
    focal, tilt, _, height = named(camera, plane)
    true = f"{focal:.0f} px, {tilt:.1f} degrees, {height:.2f} m"
    # As far as someone with a tape would measure away from the camera, in the middle of the picture.
    ends = np.array([[384.0, 220.0], [384.0, 420.0]])
    metres = float(np.linalg.norm(np.diff(plane.intersect(camera, ends), axis=0)))
    alone = calibrate_from_traffic(tracks)
    given = calibrate_from_traffic(tracks, Known(distances=(Distance(ends[0], ends[1], metres),)))
    off = [ground_error(camera, plane, fit) for fit in (alone, given)]
    rows = [
        row_of("pets_s2l1, tracks alone", alone, distance_error=off[0], true=true),
        row_of(f"pets_s2l1, {metres:.0f} m given", given, distance_error=off[1], true=true),
    ]
    told = off[0] <= _GOOD or bool(alone.undetermined)
    return rows, [
        Bar("pets_s2l1: met, or told that it is not known", float(told), at_least=1),
        Bar("pets_s2l1, one distance given: ground distances, fraction", off[1], at_most=_GOOD),
    ]


def _cars(session: str) -> list[dict[str, Any]]:
    return json.loads((REAL / "brnocompspeed" / session / "system_dubska_bmvc14.json").read_text())["cars"]


def brno_tracks(session: str) -> Tracks:
    """The baseline's tracks: points without sizes; what it goes on telling at the picture's border is left out."""
    rows = np.concatenate([
        np.column_stack([car["posX"], car["posY"], car["frames"], np.full(len(car["posX"]), car["id"])])
        for car in _cars(session)
    ])  # fmt: skip
    inside = ((rows[:, :2] > 20) & (rows[:, :2] < np.array(_BRNO_HW[::-1]) - 30)).all(axis=1)
    x, y, frame, who = rows[inside].T
    box = np.column_stack([x + 0.5, y + 0.5, 0 * x, 0 * x])
    return tracks_of(box, np.full(len(box), POINT), who.astype(int), frame / _BRNO_FPS, _BRNO_HW)


def brno(session: str) -> tuple[list[dict[str, Any]], list[Bar]]:
    """From the tracks alone, and with the first distance along the road given; the others are what it is judged by."""
    truth = json.loads((REAL / "brnocompspeed" / session / "truth.json").read_text())
    measured = [
        Distance(np.array(d["p1"][:2]), np.array(d["p2"][:2]), d["distance"]) for d in truth["distanceMeasurement"]
    ]
    tracks, rows, bars = brno_tracks(session), [], []
    for given in (0, 1):
        fit = calibrate_from_traffic(tracks, Known(distances=tuple(measured[:given])))
        off = [abs(_metres(fit, one) / one.metres - 1) for one in measured[given:]]
        name = f"{session}, {'one distance given' if given else 'tracks alone'}"
        off_kmh, matched = gate_speeds(fit, session, truth)
        told = f"{len(off)} distances, {matched} cars: {off_kmh:.1f} km/h off"
        rows.append(row_of(name, fit, distance_error=float(np.median(off)), true=told))
        if given:
            bars.append(Bar(f"{name}: the others, median error", float(np.median(off)), at_most=0.08))
        bars.append(
            Bar(
                f"{name}: met, or told that it is not known",
                float(np.median(off) <= 0.08 or bool(fit.undetermined)),
                at_least=1,
            )
        )
    return rows, bars


def gate_speeds(fit: TrafficFit, session: str, truth: dict[str, Any]) -> tuple[float, int]:
    """Median error, km/h, of the speeds of the tracks that pass the gates' first and last line with one of their cars,
    and how many do."""
    lines = np.array(truth["measurementLines"])
    gates = [
        (car["speed"], {one["measurementLineId"]: one["videoTime"] for one in car["intersections"]})
        for car in truth["cars"] if car["valid"]
    ]  # fmt: skip
    ends = (int(np.argmin(lines[:, 2])), int(np.argmax(lines[:, 2])))
    known = np.array([[speed, *(passed[k] for k in ends)] for speed, passed in gates if set(ends) <= set(passed)])
    off = []
    for car in _cars(session):
        passes = [_passed(car, lines[k]) for k in ends]
        if not len(known) or any(one is None for one in passes):
            continue
        (t0, p0), (t1, p1) = passes  # type: ignore[misc]
        apart = np.abs(known[:, 1:] - [t0, t1]).max(axis=1)
        if apart.min() < _SAME_S and t0 != t1:
            ground = fit.plane.intersect(fit.camera, np.stack([p0, p1]))
            kmh = 3.6 * float(np.linalg.norm(ground[1] - ground[0])) / abs(t1 - t0)
            off.append(abs(kmh - known[apart.argmin(), 0]))
    return (float(np.median(off)) if off else float("nan")), len(off)


def _passed(car: dict[str, Any], line: np.ndarray) -> tuple[float, np.ndarray] | None:
    """When (s) and where (2,) a track passes a line a x + b y + c = 0; None where it does not."""
    at = np.column_stack([car["posX"], car["posY"]])
    side = at @ line[:2] + line[2]
    turns = np.flatnonzero(side[:-1] * side[1:] < 0)
    if not len(turns):
        return None
    k = int(turns[0])
    part = float(side[k] / (side[k] - side[k + 1]))
    frames = np.array(car["frames"], float)
    return float(frames[k] + part * (frames[k + 1] - frames[k])) / _BRNO_FPS, at[k] + part * (at[k + 1] - at[k])


def _metres(fit: TrafficFit, one: Distance) -> float:
    ends = fit.plane.intersect(fit.camera, np.stack([one.start_px, one.end_px]))
    return float(np.nan_to_num(np.linalg.norm(ends[1] - ends[0]), nan=1e9))


def rope() -> tuple[list[dict[str, Any]], list[Bar]]:
    """One frame's boxes of cars, with where they head as motion would tell it; the focal length is given."""
    stem = next((REAL / "rope3d" / "calib").glob("*.txt")).stem
    P = np.array((REAL / "rope3d" / "calib" / f"{stem}.txt").read_text().split()[1:], float).reshape(3, 4)
    *n, d = np.array((REAL / "rope3d" / "denorm" / f"{stem}.txt").read_text().split(), float)
    camera = Camera(P[:, :3], _BRNO_HW)
    plane = GroundPlane(np.array(n), d) if d > 0 else GroundPlane(-np.array(n), -d)
    rows = [line.split() for line in (REAL / "rope3d" / "label_2" / f"{stem}.txt").read_text().splitlines()]
    values = np.array([[float(v) for v in row[1:]] for row in rows if row[0] == "car"])
    box = np.column_stack([values[:, 3:5], values[:, 5:7] - values[:, 3:5]])
    at, turn = values[:, 10:13], values[:, 13]
    ahead = np.column_stack([np.cos(turn), 0 * turn, -np.sin(turn)])
    ahead -= (ahead @ plane.n)[:, None] * plane.n
    before, after = (camera.project(at + side * 2 * ahead)[:, None] for side in (-1, 1))
    once = np.full((len(box), 1), np.nan)
    tracks = Tracks(box[:, None], np.full(len(box), CAR), before, after, once, np.zeros(len(box), bool), _BRNO_HW)
    fit = calibrate_from_traffic(tracks, Known(focal_px=float(np.mean([P[0, 0], P[1, 1]]))))
    true = named(camera, plane)
    found = named(fit.camera, fit.plane)
    told = f"{true[1]:.1f}, {true[2]:.1f} degrees, {true[3]:.2f} m"
    off = ground_error(camera, plane, fit)
    return [row_of("rope3d, focal given", fit, distance_error=off, true=told)], [
        Bar("rope3d: tilt, degrees", abs(found[1] - true[1]), at_most=1.5),
        Bar("rope3d: height, fraction", abs(found[3] / true[3] - 1), at_most=0.10),
    ]


def real() -> tuple[list[dict[str, Any]], list[Bar]]:
    """Whatever is at hand."""
    parts = [(REAL / "pets_s2l1", pets), (REAL / "rope3d", rope)]
    parts += [(REAL / "brnocompspeed" / name, partial(brno, name)) for name in SESSIONS]
    found = [part() for path, part in parts if path.exists()]
    return [row for rows, _ in found for row in rows], [bar for _, bars in found for bar in bars]
