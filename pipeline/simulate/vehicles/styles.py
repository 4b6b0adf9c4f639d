"""Proportions of the bonneted body types and the lines of one vehicle sampled from them.

Metres; x forward, z up. Heights in a Style are given at the reference height and scale with the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.simulate.vehicles.body import BodyLines


@dataclass(frozen=True)
class Size:
    """One vehicle's sampled size in metres; width is that of the body, without mirrors."""

    length: float
    width: float
    height: float
    wheelbase: float
    wheel_radius: float


@dataclass(frozen=True)
class Style:
    """Proportions of one body type, metres unless a unit is given."""

    reference_height: float
    scale_fraction: float  # how much heights follow the sampled height
    front_overhang_fraction: float  # of both overhangs
    sill: float
    nose: float  # height of the bonnet's leading edge
    hood: float  # height of the bonnet at the windscreen
    cowl: float  # windscreen's foot ahead of the front axle
    screen_run: float  # length of the windscreen along x
    header_drop: float  # windscreen's top edge below the roof
    roof_rear: float  # rear roof edge from the tail
    rear_drop: float  # and below the roof
    rear_base: float  # foot of the rear window from the tail
    rear_base_z: float
    tail: float  # height of the boot's rear edge
    belt_front: float
    belt_rear: float
    tumble_deg: float
    windows: tuple[float, ...]  # pillars between side windows, as fractions of the glazed length
    glass_rear: tuple[float, float]  # end of the side glass from the tail, at its foot and its top
    doors: tuple[float, ...]  # door seams, as fractions of the glazed length
    roof_edge: float = 0.10
    upright: bool = False  # the rear window stands in the tail
    cladding: bool = False  # dark lower edge and wheel arches
    bed_length: float = 0.0
    tall_lamps: bool = False
    lip: float = 0.05


STYLES: dict[str, Style] = {
    "hatchback": Style(
        reference_height=1.48, scale_fraction=1.0, front_overhang_fraction=0.55, sill=0.2, nose=0.75,
        hood=0.99, cowl=-0.34, screen_run=0.78, header_drop=0.06, roof_rear=0.5, rear_drop=0.08,
        rear_base=0.1, rear_base_z=1.05, tail=0.99, belt_front=0.94, belt_rear=1.02, tumble_deg=18,
        windows=(0.54, 0.92), glass_rear=(0.46, 0.6), doors=(0.02, 0.52, 0.9),
    ),
    "sedan": Style(
        reference_height=1.45, scale_fraction=1.0, front_overhang_fraction=0.45, sill=0.19, nose=0.71,
        hood=0.95, cowl=-0.42, screen_run=0.9, header_drop=0.06, roof_rear=1.32, rear_drop=0.06,
        rear_base=0.56, rear_base_z=1.06, tail=1.02, belt_front=0.91, belt_rear=0.97, tumble_deg=21,
        windows=(0.46, 0.88), glass_rear=(0.92, 1.24), doors=(0.02, 0.45, 0.8),
    ),
    "wagon": Style(
        reference_height=1.48, scale_fraction=1.0, front_overhang_fraction=0.46, sill=0.19, nose=0.72,
        hood=0.96, cowl=-0.42, screen_run=0.88, header_drop=0.06, roof_rear=0.42, rear_drop=0.08,
        rear_base=0.1, rear_base_z=1.04, tail=0.99, belt_front=0.92, belt_rear=0.98, tumble_deg=19,
        windows=(0.37, 0.7), glass_rear=(0.38, 0.5), doors=(0.02, 0.36, 0.66),
    ),
    "suv": Style(
        reference_height=1.68, scale_fraction=1.0, front_overhang_fraction=0.5, sill=0.26, nose=0.9,
        hood=1.13, cowl=-0.4, screen_run=0.8, header_drop=0.06, roof_rear=0.34, rear_drop=0.07,
        rear_base=0.09, rear_base_z=1.14, tail=1.09, belt_front=1.06, belt_rear=1.12, tumble_deg=16,
        windows=(0.41, 0.76), glass_rear=(0.4, 0.5), doors=(0.02, 0.4, 0.72), cladding=True,
        tall_lamps=True, lip=0.08,
    ),
    "pickup": Style(
        reference_height=1.82, scale_fraction=1.0, front_overhang_fraction=0.44, sill=0.34, nose=1.02,
        hood=1.2, cowl=-0.42, screen_run=0.76, header_drop=0.06, roof_rear=1.92, rear_drop=0.05,
        rear_base=1.66, rear_base_z=1.16, tail=1.12, belt_front=1.15, belt_rear=1.15, tumble_deg=16,
        windows=(0.52,), glass_rear=(1.8, 1.9), doors=(0.02, 0.51, 0.98), cladding=True,
        bed_length=1.56, tall_lamps=True, lip=0.07,
    ),
    "van": Style(
        reference_height=2.1, scale_fraction=0.25, front_overhang_fraction=0.46, sill=0.28, nose=0.98,
        hood=1.28, cowl=0.12, screen_run=0.86, header_drop=0.14, roof_rear=0.2, rear_drop=0.02,
        rear_base=0.0, rear_base_z=0.0, tail=0.0, belt_front=1.26, belt_rear=1.3, tumble_deg=6,
        windows=(), glass_rear=(0.3, 0.3), doors=(0.03, 0.26, 0.54), roof_edge=0.12, upright=True,
        cladding=True, tall_lamps=True,
    ),
    "minibus": Style(
        reference_height=2.2, scale_fraction=0.25, front_overhang_fraction=0.44, sill=0.26, nose=0.98,
        hood=1.26, cowl=0.14, screen_run=0.88, header_drop=0.14, roof_rear=0.2, rear_drop=0.02,
        rear_base=0.0, rear_base_z=0.0, tail=0.0, belt_front=1.22, belt_rear=1.24, tumble_deg=6,
        windows=(0.22, 0.43, 0.64, 0.84), glass_rear=(0.22, 0.22), doors=(0.02, 0.21, 0.44),
        roof_edge=0.13, upright=True, tall_lamps=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Where the main lines of one vehicle lie: x of the axles, the screens and the roof's ends."""

    style: Style
    size: Size
    scale: float
    front_axle: float
    rear_axle: float
    cowl: float
    header: float
    roof_rear: float

    @property
    def tail_x(self) -> float:
        """The rear end."""
        return -self.size.length / 2

    @property
    def glass_front(self) -> float:
        """Where the side glass begins, behind the windscreen's foot."""
        return self.cowl - 0.26 * (self.cowl - self.header)

    def glazed(self, fraction: float) -> float:
        """x at a fraction of the side glass, front to rear."""
        return self.glass_front + fraction * (self.tail_x + self.style.glass_rear[0] - self.glass_front)


def plan(style: Style, size: Size) -> Plan:
    """Lay out the main lines of one vehicle."""
    overhang = style.front_overhang_fraction * (size.length - size.wheelbase)
    front_axle = size.length / 2 - overhang
    cowl = front_axle + style.cowl
    scale = 1 + style.scale_fraction * (size.height / style.reference_height - 1)
    return Plan(
        style,
        size,
        scale,
        front_axle,
        front_axle - size.wheelbase,
        cowl,
        cowl - style.screen_run,
        -size.length / 2 + style.roof_rear,
    )


def body_lines(p: Plan) -> BodyLines:
    """The shell's lines of a planned vehicle."""
    s, size, k = p.style, p.size, p.scale
    front, height = size.length / 2, size.height
    rise = max(0.0, height - s.reference_height) * 0.45 if s.upright else 0.0
    nose = [
        (p.header - 0.9 if s.upright else 0.5 * (p.header + p.roof_rear) + 0.2, height),
        (p.header, height - s.header_drop - rise),
        (p.cowl, s.hood * k),
        (front - 0.30, 0.55 * s.nose * k + 0.45 * s.hood * k),
        (front, s.nose * k),
    ]
    if s.upright:
        top = [(p.tail_x, height - 0.03), (p.roof_rear, height - s.rear_drop), *nose]
    else:
        base = (p.tail_x + s.rear_base, s.rear_base_z * k)
        top = [(p.tail_x, s.tail * k), base, (p.roof_rear, height - s.rear_drop), *nose]
    bumper = 0.30 * s.nose * k + 0.22
    return BodyLines(
        size.length,
        size.width,
        tuple(top),
        ((p.tail_x, s.belt_rear * k), (p.cowl, s.belt_front * k)),
        s.sill,
        (p.front_axle, p.rear_axle),
        size.wheel_radius,
        1.13 * size.wheel_radius,
        s.tumble_deg,
        s.roof_edge,
        ((s.sill, 0.07), (bumper, 0.0), (bumper + 0.12, 0.005), (s.nose * k, 0.09)),
        ((s.sill, 0.09), (0.55, 0.0), (0.70, 0.02), (1.1, 0.05), (2.6, 0.14)),
        0.16 if not s.upright else 0.14,
        0.09 if not s.upright else 0.03,
        0.11,
        0.06 if not s.upright else 0.02,
        lip_m=s.lip,
        soften_m=0.12,
        bed=(p.tail_x + 0.16, p.tail_x + 0.10 + s.bed_length, 2.13 * size.wheel_radius + 0.03)
        if s.bed_length
        else None,
    )


def varied_style(style: Style, rng: np.random.Generator) -> Style:
    """The style with its lines moved a little, as between makers."""
    nose, hood, run, belt = 1 + rng.uniform(-1, 1, 4) * (0.035, 0.02, 0.05, 0.012)
    return replace(
        style,
        nose=style.nose * nose,
        hood=style.hood * hood,
        screen_run=style.screen_run * run,
        belt_front=style.belt_front * belt,
        belt_rear=style.belt_rear * belt * rng.uniform(0.99, 1.02),
        tumble_deg=style.tumble_deg + rng.uniform(-1.5, 1.5),
    )
