"""Where things are at a simulated junction: roads, lanes, crossings, pavements, buildings, props.

The junction has its own plan frame: origin in its middle, u along the main road, v along the side road, metres;
`Layout.to_world` places it on the camera's ground plane. Traffic keeps right.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.simulate.world.texture import cell_noise, fractal, noise

LANE_M = 1.75  # distance of a lane's middle from the middle of its road
STOP_GAP_M = 1.2  # from the crossing to the stop line
WALK_BANDS_M = (1.75, 3.2)  # walkers keep to these distances from the kerb, one band each way


@dataclass(frozen=True)
class Layout:
    """main_half, side_half: half widths of the roads, the main one with its parking strips; arms: which exist.

    arms are east (u > 0), north (v > 0), west, south; crossing_m: (near, far) distance of each road's zebra from the
    other road's edge. trees, lamps, bollards: plan positions; buildings: (u0, v0, u1, v1, height, style).
    """

    centre: tuple[float, float]
    yaw_deg: float
    main_half: float
    side_half: float
    corner_radius: float
    arms: tuple[str, ...]
    crossing_m: tuple[float, float]
    parking_m: float
    north_deg: float
    trees: tuple[tuple[float, float, float], ...]
    lamps: tuple[tuple[float, float], ...]
    signs: tuple[tuple[float, float], ...]
    shelters: tuple[tuple[float, float, float], ...]
    bins: tuple[tuple[float, float], ...]
    railings: tuple[tuple[float, float, float, float], ...]
    buildings: tuple[tuple[float, float, float, float, float, int], ...]
    parked_fraction: float = 0.45
    seed: int = 0
    reach_m: float = 90.0
    walk_reach_m: float = 48.0
    R: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        c, s = np.cos(np.radians(self.yaw_deg)), np.sin(np.radians(self.yaw_deg))
        object.__setattr__(self, "R", np.array([[c, -s], [s, c]]))

    def to_world(self, uv: np.ndarray) -> np.ndarray:
        """World xy (..., 2) of plan points (..., 2)."""
        return np.asarray(uv, float) @ self.R.T + np.asarray(self.centre)

    def to_plan(self, xy: np.ndarray) -> np.ndarray:
        """Plan points (..., 2) of world xy (..., 2)."""
        return (np.asarray(xy, float) - np.asarray(self.centre)) @ self.R

    def road_distance(self, uv: np.ndarray) -> np.ndarray:
        """(N,) metres from the kerb, negative on the road; corners are rounded."""
        a = np.abs(uv[:, 1]) - self.main_half
        b = np.abs(uv[:, 0]) - self.side_half
        if "south" not in self.arms:
            b = np.where(uv[:, 1] < 0, np.maximum(b, 200.0), b)
        if "north" not in self.arms:
            b = np.where(uv[:, 1] > 0, np.maximum(b, 200.0), b)
        r = self.corner_radius
        rounded = r - np.hypot(np.maximum(r - a, 0), np.maximum(r - b, 0))
        return np.where((a > 0) & (b > 0) & (a < r) & (b < r), rounded, np.minimum(a, b))


def ground_albedo(layout: Layout, uv: np.ndarray) -> np.ndarray:
    """(N, 3) linear colour of the ground at plan points (N, 2): asphalt and its paint, kerbs, paving, grass."""
    d = layout.road_distance(uv)
    colour = np.zeros((len(uv), 3))
    road = d <= 0.18
    colour[road] = _road(layout, uv[road])
    kerb = (d > 0) & (d < 0.18)
    colour[kerb] = np.array([0.33, 0.32, 0.30]) * (0.8 + 0.4 * cell_noise(uv[kerb], (0.9, 0.9), 5)[:, None])
    colour[(d > -0.35) & (d <= 0)] *= 0.72  # the gutter
    paving = d >= 0.18
    colour[paving] = _paving(uv[paving])
    grass = d > 4.6
    fraction = np.clip((d[grass] - 4.6) / 0.15, 0, 1)[:, None]
    colour[grass] = colour[grass] * (1 - fraction) + fraction * _grass(uv[grass])
    return colour * (0.86 + 0.28 * fractal(uv, 9.0, 71, 3))[:, None]


def _road(layout: Layout, uv: np.ndarray) -> np.ndarray:
    paint = _paint(layout, uv)
    colour = _asphalt(layout, uv)
    painted = paint > 0
    worn = 0.45 + 0.55 * (fractal(uv[painted], 0.5, 31) > 0.34)[:, None]
    colour[painted] = colour[painted] * (1 - worn) + worn * np.array([0.55, 0.55, 0.52])
    return colour


def _asphalt(layout: Layout, uv: np.ndarray) -> np.ndarray:
    grain = 0.78 + 0.44 * noise(uv, 0.06, 3)
    worn = 0.85 + 0.3 * fractal(uv, 3.0, 7)
    patch = np.where(cell_noise(uv + 0.4 * noise(uv, 1.0, 9)[:, None], (5.5, 3.1), 11) > 0.86, 0.72, 1.0)
    crack = np.abs(fractal(uv, 2.2, 13, 4) - 0.5) < 0.006
    along = np.where(np.abs(uv[:, 1]) < layout.main_half, uv[:, 1], uv[:, 0])
    wheels = np.exp(-((np.abs(np.abs(along) - LANE_M) - 0.75) ** 2) / 0.08)
    oil = np.exp(-((np.abs(along) - LANE_M) ** 2) / 0.10) * fractal(uv, 1.5, 17)
    level = 0.105 * grain * worn * patch * (1 + 0.10 * wheels) * (1 - 0.30 * oil) * np.where(crack, 0.6, 1.0)
    cover = np.hypot((uv[:, 0] % 23.0) - 9.0, (np.abs(uv[:, 1]) - 1.1)) < 0.33
    return np.where(cover, 0.045, level)[:, None] * np.array([1.0, 0.985, 0.96])


def _paving(uv: np.ndarray) -> np.ndarray:
    slab = cell_noise(uv, (0.6, 0.6), 23)
    joint = ((uv % 0.6) < 0.02).any(axis=1)
    level = 0.30 * (0.86 + 0.24 * slab) * (0.9 + 0.2 * fractal(uv, 1.3, 29)) * np.where(joint, 0.72, 1.0)
    return level[:, None] * np.array([1.0, 0.96, 0.90])


def _grass(uv: np.ndarray) -> np.ndarray:
    level = 0.6 + 0.5 * fractal(uv, 2.0, 37) + 0.3 * noise(uv, 0.12, 41)
    dry = fractal(uv, 5.0, 43)[:, None]
    return level[:, None] * ((1 - dry) * np.array([0.06, 0.11, 0.03]) + dry * np.array([0.13, 0.14, 0.05]))


def _paint(layout: Layout, uv: np.ndarray) -> np.ndarray:
    """(N,) 1 where there is paint: centre dashes, edge of parking, zebras, stop lines."""
    u, v = np.abs(uv[:, 0]), np.abs(uv[:, 1])
    near, far = layout.crossing_m
    paint = np.zeros(len(uv), bool)
    roads = [(u, v, uv[:, 1], layout.side_half, layout.main_half, uv[:, 0] > 0, ("east", "west"))]
    roads.append((v, u, uv[:, 0], layout.main_half, layout.side_half, uv[:, 1] > 0, ("north", "south")))
    for along, across, signed, start, half, positive, (plus, minus) in roads:
        exists = (positive & (plus in layout.arms)) | (~positive & (minus in layout.arms))
        out = along - start
        driven = half - layout.parking_m if half == layout.main_half else half
        zebra = (out > near) & (out < far) & (across < half - 0.25) & ((signed % 1.0) < 0.5)
        beyond = out > far + STOP_GAP_M
        # Drivers who come in keep right of the middle: on the plus arm that is the positive side of a road along u.
        inbound = (signed > 0) == (positive if plus == "east" else ~positive)
        stop = beyond & (out < far + STOP_GAP_M + 0.4) & inbound & (across < driven - 0.1)
        dashes = beyond & (across < 0.07) & ((along % 6.0) < 3.0)
        parking = beyond & (half == layout.main_half) & (np.abs(across - driven) < 0.06) & (layout.parking_m > 0)
        paint |= exists & (zebra | stop | dashes | parking)
    return paint.astype(np.float32)


LAYOUTS = {
    "crossroads": Layout(
        centre=(1.5, 28.5),
        yaw_deg=24.0,
        main_half=5.7,
        side_half=3.5,
        corner_radius=4.5,
        arms=("east", "north", "west", "south"),
        crossing_m=(2.6, 5.8),
        parking_m=2.2,
        north_deg=-35.0,
        trees=((-15.0, -6.45, 6.2), (-24.5, -6.45, 7.0), (13.5, 6.45, 6.5), (22.5, 6.45, 7.2),
               (-17.0, 6.45, 6.8), (31.5, 6.45, 6.6),
               (14.0, -6.45, 5.4), (4.25, 16.5, 6.0), (4.25, 26.0, 6.6), (-4.25, 21.0, 6.4), (-4.25, 33.0, 7.0),
               (-28.0, 6.45, 6.9)),
        lamps=((9.6, -6.3), (-9.6, 6.3), (-30.0, -6.3), (28.0, -6.3), (-4.3, 13.0), (4.3, 36.0)),
        signs=((4.2, -12.0), (-4.3, 11.0), (-12.0, -6.2), (12.0, 6.2), (17.0, -6.2)),
        shelters=((14.5, -10.2, 4.2),),
        bins=((13.6, -6.3), (-4.1, -15.0), (-20.0, -6.3)),
        railings=((4.0, -13.0, 4.0, -18.0), (10.4, -6.15, 12.6, -6.15)),
        buildings=((11.0, 11.5, 27.0, 26.0, 12.5, 0), (29.0, 11.5, 48.0, 26.0, 16.0, 1),
                   (-26.0, 11.5, -9.0, 26.0, 14.0, 2),
                   (-46.0, 11.5, -27.0, 26.0, 10.5, 3), (9.5, 30.0, 24.0, 48.0, 15.0, 3),
                   (-24.0, 29.0, -9.5, 48.0, 11.0, 1),
                   (50.0, 11.5, 74.0, 26.0, 12.0, 2), (-74.0, 11.5, -48.0, 26.0, 13.0, 0),
                   (-40.0, 70.0, 40.0, 82.0, 17.0, 2),
                   (9.5, 50.0, 26.0, 68.0, 12.0, 0), (-26.0, 50.0, -9.5, 68.0, 14.5, 3),
                   (30.0, -30.0, 60.0, -11.5, 11.0, 1)),
        parked_fraction=0.5,
        seed=7,
    ),
    "junction": Layout(
        centre=(-4.0, 26.0),
        yaw_deg=-17.0,
        main_half=5.9,
        side_half=3.7,
        corner_radius=5.5,
        arms=("east", "north", "west"),
        crossing_m=(3.2, 6.4),
        parking_m=2.2,
        north_deg=60.0,
        trees=((-13.0, 6.6, 6.4), (-26.0, 6.6, 7.2), (18.5, 6.6, 6.0), (12.0, -6.6, 6.6), (-19.5, -6.6, 6.2),
               (27.0, -6.6, 7.0),
               (4.4, 22.0, 6.4), (-4.4, 29.0, 6.8), (30.0, 6.6, 6.7)),
        lamps=((-10.5, -6.5), (11.0, 6.5), (21.0, -6.5), (-33.0, 6.5), (-4.6, 15.0)),
        signs=((4.6, 12.0), (-15.5, -6.4), (15.0, 6.4), (4.0, -6.4)),
        shelters=((-5.0, -10.4, 4.6),),
        bins=((1.6, -6.5), (-12.5, 6.5)),
        railings=((0.5, -6.35, 3.0, -6.35), (4.2, 13.0, 4.2, 17.0)),
        buildings=((11.0, 12.0, 30.0, 27.0, 10.0, 3), (32.0, 12.0, 56.0, 27.0, 13.5, 0),
                   (-28.0, 12.0, -10.5, 27.0, 15.5, 1),
                   (-54.0, 12.0, -30.0, 27.0, 11.5, 2), (10.5, 30.0, 26.0, 52.0, 12.5, 2),
                   (-26.0, 30.0, -10.5, 52.0, 10.5, 0),
                   (-34.0, 66.0, 34.0, 80.0, 15.0, 1), (58.0, 12.0, 84.0, 27.0, 15.0, 3),
                   (-84.0, 12.0, -56.0, 27.0, 12.0, 1)),
        parked_fraction=0.35,
        seed=11,
    ),
}  # fmt: skip
# The same streets for a camera that stands far off.
LAYOUTS["far_crossroads"] = replace(LAYOUTS["crossroads"], centre=(2.0, 74.0))
