"""Lines of the bonneted bodies, microcar to long van: proportions of each, varied widely, laid over published sizes.

Metres; x forward, z up. Lengths along x belong to the reference length and are stretched with the vehicle, heights to
the reference height.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.simulate.vehicles.body import BodyLines
from pipeline.simulate.vehicles.styles import STYLES, Plan, Size, Style
from pipeline.simulate.vehicles.wide.dimensions import Dimensions, sample_dimensions


@dataclass(frozen=True)
class WideStyle(Style):
    """A Style that says more: square_tail: the rear stands upright, by rake_m further forward at the roof; wheel:
    radius, least and greatest; cab: from the windscreen's top to the rear of a pickup's cab, least and greatest."""

    reference_length: float = 4.3
    square_tail: bool = False
    rake: tuple[float, float] = (0.02, 0.12)
    wheel: tuple[float, float] = (0.29, 0.34)
    cab: tuple[float, float] = (0.0, 0.0)


def _wide(base: str, **changes) -> WideStyle:
    known = {name: getattr(STYLES[base], name) for name in STYLES[base].__dataclass_fields__}
    return WideStyle(**(known | changes))


WIDE_STYLES: dict[str, WideStyle] = {
    "microcar": _wide(
        "hatchback", reference_height=1.45, reference_length=2.8, nose=0.78, hood=0.98, cowl=0.02, screen_run=0.62,
        roof_rear=0.22, rear_drop=0.07, rear_base=0.06, rear_base_z=0.98, tail=0.90, belt_front=0.90, belt_rear=0.97,
        tumble_deg=14, windows=(0.80,), glass_rear=(0.30, 0.36), doors=(0.02, 0.78), wheel=(0.25, 0.28),
    ),
    "city_car": _wide(
        "hatchback", reference_length=3.6, nose=0.77, hood=1.0, cowl=-0.22, screen_run=0.72, roof_rear=0.30,
        rear_base=0.08, tumble_deg=14, wheel=(0.265, 0.30), glass_rear=(0.34, 0.44),
    ),
    "hatchback": _wide("hatchback", reference_length=4.05, wheel=(0.29, 0.33)),
    "sedan": _wide("sedan", reference_length=4.7, wheel=(0.29, 0.35)),
    "liftback": _wide(
        "sedan", reference_length=4.7, roof_rear=1.15, rear_drop=0.08, rear_base=0.28, rear_base_z=1.02, tail=0.99,
        glass_rear=(0.75, 1.1), wheel=(0.30, 0.35),
    ),
    "wagon": _wide("wagon", reference_length=4.7, wheel=(0.30, 0.345)),
    "square_wagon": _wide("wagon", reference_length=4.7, square_tail=True, rake=(0.06, 0.40), glass_rear=(0.22, 0.4)),
    "coupe": _wide(
        "sedan", reference_height=1.32, reference_length=4.4, nose=0.62, hood=0.84, cowl=-0.55, screen_run=0.95,
        roof_rear=1.3, rear_drop=0.08, rear_base=0.40, rear_base_z=0.93, tail=0.90, belt_front=0.82, belt_rear=0.88,
        tumble_deg=24, windows=(0.78,), glass_rear=(0.95, 1.3), doors=(0.02, 0.74), sill=0.15, wheel=(0.30, 0.36),
    ),
    "mpv": _wide(
        "wagon", reference_height=1.70, reference_length=4.6, nose=0.82, hood=1.08, cowl=-0.12, screen_run=1.02,
        roof_rear=0.32, rear_base=0.08, rear_base_z=1.10, tail=1.02, belt_front=1.0, belt_rear=1.06, tumble_deg=14,
        windows=(0.14, 0.45, 0.76), glass_rear=(0.30, 0.42), doors=(0.14, 0.44, 0.74), wheel=(0.30, 0.345),
    ),
    "suv": _wide("suv", reference_length=4.6, wheel=(0.33, 0.39)),
    "square_suv": _wide(
        "suv", reference_length=4.6, square_tail=True, rake=(0.08, 0.40), glass_rear=(0.24, 0.44), wheel=(0.33, 0.39),
    ),
    "offroader": _wide(
        "suv", reference_height=1.88, reference_length=4.5, sill=0.36, nose=1.04, hood=1.16, cowl=-0.40,
        screen_run=0.42, header_drop=0.05, belt_front=1.16, belt_rear=1.18, tumble_deg=7, glass_rear=(0.16, 0.18),
        windows=(0.44, 0.74), doors=(0.02, 0.42, 0.70), square_tail=True, rake=(0.0, 0.08), wheel=(0.35, 0.41),
        roof_edge=0.07,
    ),
    "limousine": _wide(
        "sedan", reference_height=1.5, reference_length=5.4, cowl=-0.55, roof_rear=1.35, rear_base=0.62,
        glass_rear=(0.95, 1.28), wheel=(0.33, 0.37),
    ),
    "pickup": _wide("pickup", reference_length=5.5, wheel=(0.35, 0.42), cab=(1.25, 1.65), roof_rear=1.9),
    "single_cab": _wide(
        "pickup", reference_length=5.3, wheel=(0.33, 0.41), cab=(0.50, 0.70), windows=(0.95,), doors=(0.02, 0.90),
    ),
    "small_van": _wide(
        "suv", reference_height=1.82, reference_length=4.4, sill=0.22, nose=0.86, hood=1.12, cowl=-0.14,
        screen_run=0.92, header_drop=0.09, belt_front=1.08, belt_rear=1.12, tumble_deg=8, cladding=False,
        windows=(0.40, 0.72), glass_rear=(0.24, 0.28), doors=(0.02, 0.38, 0.70), square_tail=True, rake=(0.02, 0.14),
        wheel=(0.29, 0.33),
    ),
    "van": _wide("van", reference_length=5.4, square_tail=True, wheel=(0.32, 0.36), rake=(0.06, 0.18)),
    "minibus": _wide("minibus", reference_length=5.8, square_tail=True, wheel=(0.32, 0.37), rake=(0.06, 0.18)),
}  # fmt: skip
# Which of them a body takes, and how often.
STYLES_OF: dict[str, tuple[tuple[str, float], ...]] = {
    "sedan": (("sedan", 0.8), ("liftback", 0.2)),
    "wagon": (("wagon", 0.5), ("square_wagon", 0.5)),
    "suv": (("suv", 0.5), ("square_suv", 0.5)),
    "pickup": (("pickup", 0.65), ("single_cab", 0.35)),
    "camper": (("minibus", 1.0),),
}


@dataclass(frozen=True)
class Design:
    """A bonneted vehicle's plan, its shell's lines, and the dimensions that they are laid over."""

    plan: Plan
    lines: BodyLines
    dimensions: Dimensions

    @property
    def style(self) -> WideStyle:
        """The varied style."""
        assert isinstance(self.plan.style, WideStyle)
        return self.plan.style


def sample_design(body: str, rng: np.random.Generator) -> Design:
    """A bonneted vehicle of a body: published dimensions, lines varied as between makers and decades."""
    names, weights = zip(*STYLES_OF.get(body, ((body, 1.0),)), strict=True)
    return design(WIDE_STYLES[str(rng.choice(names, p=weights))], sample_dimensions(body, rng), rng)


def design(style: WideStyle, d: Dimensions, rng: np.random.Generator) -> Design:
    """A style, varied, laid over dimensions."""
    style = _stretched(_varied(style, rng), d)
    size = Size(d.length, d.width, d.height, d.wheelbase, _wheel_radius(style, d, rng))
    front_axle = d.length / 2 - d.front_overhang
    scale = 1 + style.scale_fraction * (d.height / style.reference_height - 1)
    # A bonnet is at least a hand long, and the windscreen leaves room for a roof.
    cowl = min(front_axle + style.cowl, d.length / 2 - 0.42)
    header = cowl - style.screen_run
    roof_rear = -d.length / 2 + style.roof_rear
    if style.bed_length:
        roof_rear = max(header - float(rng.uniform(*style.cab)), -d.length / 2 + 1.0)
        foot = roof_rear + d.length / 2 - float(rng.uniform(0.08, 0.30))  # of the rear window, from the tail
        style = replace(style, rear_base=foot, bed_length=foot - 0.16)
    elif not style.square_tail:
        roof_rear = min(roof_rear, header - 0.35 * style.roof_rear - 0.45)
    plan = Plan(style, size, scale, front_axle, front_axle - d.wheelbase, cowl, header, roof_rear)
    return Design(plan, _lines(plan, style, rng), d)


def _varied(s: WideStyle, rng: np.random.Generator) -> WideStyle:
    """The style with all its lines moved, far more than between today's makers."""

    def by(fraction: float) -> float:
        return 1 + fraction * float(rng.uniform(-1, 1))

    nose, hood = s.nose * by(0.12), s.hood * by(0.06)
    belt = by(0.04)
    return replace(
        s,
        sill=s.sill * by(0.25), nose=min(nose, hood - 0.05), hood=hood, cowl=s.cowl + float(rng.uniform(-0.22, 0.18)),
        screen_run=s.screen_run * by(0.28), header_drop=s.header_drop * by(0.4), roof_rear=s.roof_rear * by(0.18),
        rear_drop=s.rear_drop * by(0.7), rear_base=s.rear_base * by(0.3), rear_base_z=s.rear_base_z * by(0.03),
        tail=s.tail * by(0.05), belt_front=s.belt_front * belt * by(0.02), belt_rear=s.belt_rear * belt * by(0.03),
        tumble_deg=max(2.0, s.tumble_deg * by(0.4)), roof_edge=s.roof_edge * by(0.4),
        cladding=bool(rng.random() < (0.75 if s.cladding else 0.12)),
        tall_lamps=bool(rng.random() < (0.65 if s.tall_lamps or s.square_tail else 0.12)), lip=s.lip * by(0.4),
    )  # fmt: skip


def _stretched(s: WideStyle, d: Dimensions) -> WideStyle:
    """Lengths along x for the length at hand; beyond the reference the roof grows, not the nose."""
    k = float(np.clip(d.length / s.reference_length, 0.6, 1.12))
    names = ("cowl", "screen_run", "roof_rear", "rear_base")
    windows, doors = s.windows, s.doors
    if len(windows) > 1 and not s.upright:
        # A two-door body, and rows of windows in stretched ones.
        glazed = d.length - d.front_overhang - 1.6
        more = round(glazed / 1.15) - 1
        if more > 4:
            windows = tuple(float(w) for w in np.linspace(0, 1, more)[1:-1]) + (0.93,)
            doors = (0.02, windows[0], windows[-2], 0.9)
    return replace(
        s, **{name: k * getattr(s, name) for name in names}, windows=windows, doors=doors,
        glass_rear=(k * s.glass_rear[0], k * s.glass_rear[1]),
    )  # fmt: skip


def _wheel_radius(s: WideStyle, d: Dimensions, rng: np.random.Generator) -> float:
    room = min(0.45 * d.front_overhang + 0.16, 0.235 * d.height)
    return float(np.clip(rng.uniform(*s.wheel), 0.21, max(room, 0.22)))


def _top(p: Plan, s: WideStyle) -> tuple[tuple[float, float], ...]:
    """The roof line over the centre, rear to front."""
    front, height, k = p.size.length / 2, p.size.height, p.scale
    rise = max(0.0, height - s.reference_height) * 0.45 if s.upright else 0.0
    long = s.upright and p.header - p.roof_rear > 1.6
    nose = [
        (p.header - 0.9 if long else 0.5 * (p.header + p.roof_rear) + 0.1, height),
        (p.header, height - s.header_drop - rise),
        (p.cowl, s.hood * k),
        (front - min(0.30, 0.5 * (front - p.cowl)), 0.55 * s.nose * k + 0.45 * s.hood * k),
        (front, s.nose * k),
    ]
    if s.square_tail:
        return ((p.tail_x, height - 0.03 - s.rear_drop), (p.roof_rear, height - 0.5 * s.rear_drop), *nose)
    base = (p.tail_x + s.rear_base, s.rear_base_z * k)
    return ((p.tail_x, min(s.tail * k, base[1] - 0.01)), base, (p.roof_rear, height - s.rear_drop), *nose)


def _lines(p: Plan, s: WideStyle, rng: np.random.Generator) -> BodyLines:
    """The shell's lines of a planned vehicle: round or sharp, waisted or flat-sided, upright or raked."""
    size, k = p.size, p.scale
    bumper = 0.30 * s.nose * k + float(rng.uniform(0.12, 0.28))
    lean, step = float(rng.uniform(-0.02, 0.18)), float(rng.uniform(0.0, 0.05))
    rake = float(rng.uniform(*s.rake)) if s.square_tail else float(rng.uniform(0.02, 0.09))
    belt = s.belt_rear * k
    front_lean = (
        (s.sill, float(rng.uniform(0.02, 0.14))),
        (bumper, 0.0),
        (bumper + 0.12, step),
        (s.nose * k + 0.05, max(lean, step)),
    )
    rear_lean = (
        (s.sill, float(rng.uniform(0.03, 0.16))),
        (0.30 * k + 0.22, 0.0),
        (0.62, 0.02),
        (max(belt, 0.75), 0.05),
        (max(size.height, belt + 0.3), 0.05 + rake),
    )
    boxy = s.upright or s.square_tail
    return BodyLines(
        size.length, size.width, _top(p, s), ((p.tail_x, s.belt_rear * k), (p.cowl, s.belt_front * k)), s.sill,
        (p.front_axle, p.rear_axle), size.wheel_radius, float(rng.uniform(1.06, 1.20)) * size.wheel_radius,
        s.tumble_deg, s.roof_edge, front_lean, rear_lean,
        float(rng.uniform(0.02, 0.20)), float(rng.uniform(0.01, 0.05 if boxy else 0.13)),
        float(rng.uniform(0.03, 0.16)), float(rng.uniform(0.0, 0.05 if boxy else 0.12)),
        waist=float(rng.uniform(0.01, 0.10)), lip_m=s.lip, crown_m=float(rng.uniform(0.015, 0.05)),
        soften_m=float(rng.uniform(0.05, 0.20)),
        bed=(p.tail_x + 0.16, p.tail_x + 0.10 + s.bed_length, min(2.13 * size.wheel_radius + 0.03, 0.85 * belt))
        if s.bed_length else None,
    )  # fmt: skip
