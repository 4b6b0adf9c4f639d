"""Draw, on a frame with people and cars in it, how large a calibration makes usual ones where these stand."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.draw import Pen
from calibration.rulers import CAR_LWH_M, PERSON_M, Sightings, cuboid

_PERSON, _CAR, _BOX, _MOTION = (90, 230, 90), (60, 140, 255), (235, 235, 235), (255, 160, 60)
_INK, _PAPER, _USUAL = (40, 40, 40), (250, 250, 250), (215, 235, 215)
_USUAL_SPREAD = {True: 0.07, False: 0.15}
_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))


def draw_sizes(image: np.ndarray, camera: Camera, plane: GroundPlane, seen: Sightings) -> np.ndarray:
    """A copy of a frame (H, W, 3) BGR uint8: each box, and in it a usual person's pole or a usual car's cuboid that
    heads where it moves; thin lines go on from cars to where their motion vanishes."""
    pen = Pen(image.copy(), camera, plane)
    pen.horizon()
    width = max(round(2 * pen.size), 1)
    feet = plane.to_world(plane.intersect(camera, seen.foot_px))
    ahead = plane.to_world(plane.intersect(camera, seen.later_px)) - feet
    for box, person, foot, way in zip(seen.box_xywh, seen.is_person, feet, ahead, strict=True):
        x, y, w, h = np.round(box).astype(int)
        cv2.rectangle(pen.image, (x, y), (x + w, y + h), _BOX, 1)
        if not np.isfinite(foot).all():
            continue
        if person:
            pen.path(np.array([[*foot[:2], 0], [*foot[:2], PERSON_M]]), _PERSON, width + 1)
        elif np.isfinite(way).all():
            yaw = np.array([np.arctan2(way[1], way[0])])
            # The box's bottom is the nearest of the car: its middle is farther by what the cuboid reaches towards us.
            corners = cuboid(foot[None, :2], yaw, np.ones(1))[0]
            towards = foot[:2] / max(float(np.hypot(*foot[:2])), 1e-6)
            corners[:, :2] += towards * float((foot[:2] - corners[:4, :2]).dot(towards).max())
            for a, b in _EDGES:
                pen.path(corners[[a, b]], _CAR, width)
            far = foot + way / max(float(np.hypot(*way[:2])), 1e-6) * 1000
            pen.path(np.array([[*foot[:2], 0], [*far[:2], 0]]), _MOTION, 1)
    return pen.image


def draw_ratios(people: np.ndarray, vehicles: np.ndarray, width: int) -> np.ndarray:
    """(H, width, 3) histograms of the heights of people and the lengths of cars that the calibration implies, with what
    is usual behind them."""
    height = max(width // 6, 90)
    panel = np.full((height, width, 3), _PAPER, np.uint8)
    for place, (ratio, usual, name, person) in enumerate(
        [(people, PERSON_M, "people's heights", True), (vehicles, CAR_LWH_M[0], "cars' lengths", False)]
    ):
        left, span = place * width // 2 + 10, width // 2 - 20
        edges = np.geomspace(0.5, 2.0, 29)

        def across(value: float, left: int = left, span: int = span) -> int:
            return left + round(span * float(np.log(value / 0.5) / np.log(4)))

        spread = _USUAL_SPREAD[person]
        cv2.rectangle(panel, (across(np.exp(-spread)), 22), (across(np.exp(spread)), height - 18), _USUAL, -1)
        counts = np.histogram(ratio, edges)[0]
        tallest = max(int(counts.max(initial=0)), 1)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            top = height - 18 - round((height - 42) * count / tallest)
            if count:
                cv2.rectangle(
                    panel, (across(low), top), (across(high) - 1, height - 18), _PERSON if person else _CAR, -1
                )
        for value in (0.5, 0.7, 1.0, 1.4, 2.0):
            at = (min(across(value), left + span - 34), height - 5)
            cv2.putText(panel, f"{value * usual:.1f} m", at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _INK, 1, cv2.LINE_AA)
        title = f"{name}: {len(ratio)} tracks; usual in green"
        cv2.putText(panel, title, (left, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
    return panel
