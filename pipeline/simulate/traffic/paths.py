"""The ways that vehicles and people take through the simulated junction.

Plan coordinates of `layout`; a path is asked for points by the distance along it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.simulate.world.layout import LANE_M, STOP_GAP_M, WALK_BANDS_M, Layout

_PATH_STEP_M = 0.25
ARMS = {"east": (1.0, 0.0), "north": (0.0, 1.0), "west": (-1.0, 0.0), "south": (0.0, -1.0)}


@dataclass(frozen=True)
class Path:
    """A polyline resampled every _PATH_STEP_M metres; straight on beyond its ends."""

    points: np.ndarray  # (P, 2)
    length: float

    @staticmethod
    def through(corners: np.ndarray) -> Path:
        """The path along corners (C, 2)."""
        run = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))]
        s = np.arange(int(np.ceil(run[-1] / _PATH_STEP_M)) + 1) * _PATH_STEP_M
        points = np.stack([np.interp(s, run, corners[:, i]) for i in (0, 1)], axis=1)
        over = s[-1] - run[-1]  # the last step goes on straight past the end
        last = corners[-1] - corners[-2]
        points[-1] = corners[-1] + last / np.linalg.norm(last) * over
        return Path(points, float(run[-1]))

    def at(self, s: np.ndarray | float) -> np.ndarray:
        """(..., 2) points at distances s."""
        steps = np.asarray(s, float) / _PATH_STEP_M
        low = np.clip(steps.astype(int), 0, len(self.points) - 2)
        fraction = (steps - low)[..., None]
        return self.points[low] * (1 - fraction) + self.points[low + 1] * fraction


def lane_path(layout: Layout, origin: str, target: str) -> tuple[Path, float]:
    """The path from one arm to another and the distance of the stop line along it."""
    out_from, out_to = np.array(ARMS[origin]), np.array(ARMS[target])
    right_in, right_out = np.array([-out_from[1], out_from[0]]), np.array([out_to[1], -out_to[0]])
    start = layout.reach_m
    edge_in = layout.side_half if out_from[0] else layout.main_half
    edge_out = layout.side_half if out_to[0] else layout.main_half
    inner_in, inner_out = edge_in + 1.5, edge_out + 1.5
    entry = out_from * inner_in + right_in * LANE_M
    leave = out_to * inner_out + right_out * LANE_M
    ts = np.linspace(0, 1, 24)[:, None]
    if target == opposite(origin):
        middle = entry + (leave - entry) * ts
    else:
        corner = right_in * LANE_M + right_out * LANE_M
        middle = (1 - ts) ** 2 * entry + 2 * ts * (1 - ts) * corner + ts**2 * leave
    points = np.concatenate([[out_from * start + right_in * LANE_M], middle, [out_to * start + right_out * LANE_M]])
    stop = start - (edge_in + layout.crossing_m[1] + STOP_GAP_M + 0.4)
    return Path.through(points), stop


def opposite(arm: str) -> str:
    return {"east": "west", "west": "east", "north": "south", "south": "north"}[arm]


def turn_of(arm: str, target: str) -> int:
    """1 to the left, -1 to the right, 0 straight on, for who comes in by one arm and leaves by another."""
    (u, v), (u_to, v_to) = ARMS[arm], ARMS[target]
    return -int(np.sign(u * v_to - v * u_to))


def walk_lines(layout: Layout) -> list[tuple[np.ndarray, bool]]:
    """Corner-to-corner pavement routes and crossings: (P, 2) plan points on the kerb side, and whether it crosses."""
    routes = []
    far, reach = (layout.crossing_m[0] + layout.crossing_m[1]) / 2, layout.walk_reach_m
    side_sign = [s for s, arm in ((1, "north"), (-1, "south")) if arm in layout.arms]
    for u in (1, -1):
        for v in (1, -1):
            m, s = layout.main_half, layout.side_half
            if v in side_sign:
                routes.append(
                    (
                        np.array(
                            [[u * reach, v * m], [u * (s + far), v * m], [u * s, v * (m + far)], [u * s, v * reach]]
                        ),
                        False,
                    )
                )
    for v in {1, -1} - set(side_sign):
        routes.append(
            (
                np.array([[reach, v * layout.main_half], [0.0, v * layout.main_half], [-reach, v * layout.main_half]]),
                False,
            )
        )
    for u in (1, -1):
        x = u * (layout.side_half + far)
        m = layout.main_half
        routes.append((np.array([[x, -m], [x, m]]), True))
    for v in side_sign:
        y = v * (layout.main_half + far)
        s = layout.side_half
        routes.append((np.array([[-s, y], [s, y]]), True))
    return routes


def pavement_path(layout: Layout, line: np.ndarray, rng: np.random.Generator) -> Path:
    """A kerb line moved onto the pavement, its corners rounded; one band each way keeps people apart."""
    dense = _rounded_corner(line, 3.0)
    step = np.gradient(dense, axis=0)
    left = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.linalg.norm(step, axis=1, keepdims=True)
    probe = layout.road_distance(dense + 0.5 * left).mean() > layout.road_distance(dense - 0.5 * left).mean()
    inward = left if probe else -left
    band = WALK_BANDS_M[0 if probe else 1] + rng.uniform(-0.25, 0.25)
    moved = dense + inward * band
    for _ in range(3):  # a rounded kerb is nearer than its straight continuation
        short = band - layout.road_distance(moved)
        moved = moved + inward * np.clip(short, 0, 3)[:, None]
    walked = _rounded_corner(moved[::4], 1.0)
    for _ in range(3):  # rounding has cut the corners again
        walked = walked + _uphill(layout, walked) * np.clip(band - layout.road_distance(walked), 0, 3)[:, None]
    return Path.through(walked)


def _uphill(layout: Layout, points: np.ndarray) -> np.ndarray:
    """(N, 2) unit directions in which the kerb falls behind fastest."""
    step = 0.05
    slope = [layout.road_distance(points + d) - layout.road_distance(points - d) for d in ([step, 0.0], [0.0, step])]
    return np.stack(slope, axis=1) / np.maximum(np.hypot(*slope), 1e-9)[:, None]


def crossing_path(layout: Layout, line: np.ndarray, rng: np.random.Generator) -> tuple[Path, float]:
    """From the back of the pavement over a zebra and on; the stop is before the kerb."""
    along = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
    right = np.array([along[1], -along[0]])
    offset = right * rng.uniform(0.3, 0.6)
    points = np.array([line[0] - along * 4.2, line[0], line[1], line[1] + along * 4.2]) + offset
    return Path.through(_rounded_corner(points, 0.5)), 3.75


def beside(points: np.ndarray, right_m: float) -> np.ndarray:
    step = np.gradient(points, axis=0)
    right = np.stack([step[:, 1], -step[:, 0]], axis=1) / np.linalg.norm(step, axis=1, keepdims=True)
    return points + right * right_m


def _rounded_corner(points: np.ndarray, radius: float) -> np.ndarray:
    """Dense points along a polyline with its corners smoothed over about radius metres."""
    path = Path.through(points)
    s = np.arange(0, path.length, 0.25)
    span = np.linspace(-radius, radius, 9)
    return np.mean([path.at(np.clip(s + d, 0, path.length)) for d in span], axis=0)
