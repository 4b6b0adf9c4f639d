"""What the people of the simulated street wear: outfits sampled by chance, and their cloth on a body.

Close garments are the body's own triangles, moved out and coloured by region; skirts, coat hems, hats, hair and bags
are meshes of their own. Colours are linear RGB, lengths metres, the frame a person's (x forward, y left, z up).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pipeline.core.mesh import Mesh

Triple = tuple[float, float, float]
Colour = Triple


class Region(IntEnum):
    """What part of the body a triangle covers."""

    FACE = 0  # and the neck
    FOREHEAD = 1  # skin that a hat covers
    CROWN = 2  # hair or hat
    NAPE = 3  # hair below a hat
    CHEST = 4
    WAIST = 5
    SEAT = 6
    THIGH = 7
    SHANK = 8
    FOOT = 9
    UPPER_ARM = 10  # what a short sleeve covers
    FOREARM = 11
    HAND = 12


# Everyday cloth, linear RGB, and how often it is seen above and below the waist: mostly dark and grey.
_CLOTH = np.array(
    [
        (0.02, 0.02, 0.025), (0.05, 0.06, 0.08), (0.14, 0.14, 0.15), (0.60, 0.60, 0.58), (0.03, 0.05, 0.12),
        (0.32, 0.31, 0.29), (0.12, 0.08, 0.05), (0.38, 0.30, 0.20), (0.30, 0.04, 0.04), (0.08, 0.12, 0.07),
        (0.12, 0.22, 0.40), (0.50, 0.38, 0.08), (0.42, 0.16, 0.21), (0.50, 0.18, 0.06), (0.06, 0.22, 0.20),
    ]
)  # fmt: skip
_TOPS = np.array([17, 9, 11, 15, 10, 8, 4, 6, 5, 4, 5, 1.5, 2, 1, 1.5])
_BOTTOMS = np.array([28, 16, 10, 3, 22, 5, 4, 7, 0.5, 1.5, 3, 0, 0, 0, 0])
_SHOES = np.array([45, 8, 8, 16, 6, 3, 10, 3, 1, 0, 0, 0, 0, 0, 0])
_SKIN = np.array([(0.55, 0.35, 0.26), (0.45, 0.27, 0.18), (0.30, 0.17, 0.10), (0.16, 0.085, 0.05), (0.62, 0.42, 0.33)])
_SKINS = np.array([36, 24, 14, 12, 14])
_HAIR = np.array(
    [(0.015, 0.012, 0.01), (0.05, 0.03, 0.018), (0.14, 0.08, 0.04), (0.35, 0.25, 0.12), (0.38, 0.37, 0.36)]
)
_HAIRS = np.array([36, 32, 16, 9, 7])

# How far cloth stands off the skin of a grown person, metres.
_STANDOFF = {"tucked": 0.010, "shirt": 0.013, "jacket": 0.024, "coat": 0.026}
# Radius of a trouser leg at its hem.
_HEM_RADIUS = {"slim": 0.052, "straight": 0.070, "wide": 0.084}
# Where loose hems end: 1 is the knee, 2 the ankle.
_DROP = {"skirt": 0.9, "long skirt": 1.5, "dress": 0.95, "coat": 0.7, "long coat": 1.15}


@dataclass(frozen=True)
class Outfit:
    """What a person wears; colours are linear RGB."""

    top: Colour
    bottom: Colour
    shoes: Colour
    skin: Colour
    hair: Colour
    accessory: Colour  # hat and bag
    upper: str  # tucked | shirt | jacket | coat | long coat
    sleeves: str  # long | short
    lower: str  # trousers | shorts | skirt | long skirt | dress
    fit: str  # slim | straight | wide, of the trousers
    hair_style: str  # short | long | bun | bald
    hat: str  # none | cap | beanie | brim
    bag: str  # none | backpack | handbag | satchel


def _pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    weight = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=weight / weight.sum()))


def _shade_from(rng: np.random.Generator, palette: np.ndarray, often: np.ndarray) -> Colour:
    number = int(rng.choice(len(palette), p=often / often.sum()))
    red, green, blue = np.clip(palette[number] * rng.uniform(0.75, 1.25) * rng.uniform(0.93, 1.07, 3), 0.01, 0.75)
    return float(red), float(green), float(blue)


def sample_outfit(rng: np.random.Generator, *, woman: bool, adult: bool) -> Outfit:
    """An outfit as one sees in a street of a cool day."""
    lower = {"trousers": 70.0, "skirt": 10, "long skirt": 6, "dress": 8, "shorts": 6}
    if not woman:
        lower = {"trousers": 88.0, "shorts": 12}
    upper = {"tucked": 14.0, "shirt": 36, "jacket": 34, "coat": 10, "long coat": 6 if adult else 0}
    hair = {"short": 25.0, "long": 50, "bun": 25} if woman else {"short": 88.0, "long": 4, "bald": 8 * adult}
    bag = {"none": 50.0, "handbag": 25, "satchel": 10, "backpack": 15} if woman else {"none": 72.0, "backpack": 20}
    worn = _pick(rng, upper)
    legs = _pick(rng, {"trousers": 1.0} if "coat" in worn else lower)
    if legs == "dress":
        worn = "tucked"
    return Outfit(
        top=_shade_from(rng, _CLOTH, _TOPS),
        bottom=_shade_from(rng, _CLOTH, _BOTTOMS),
        shoes=_shade_from(rng, _CLOTH, _SHOES),
        skin=_shade_from(rng, _SKIN, _SKINS),
        hair=_shade_from(rng, _HAIR, _HAIRS),
        accessory=_shade_from(rng, _CLOTH, _SHOES + _TOPS / 3),
        upper=worn,
        sleeves="long" if worn in ("jacket", "coat", "long coat") or rng.random() < 0.5 else "short",
        lower=legs,
        fit=_pick(rng, {"slim": 0.3, "straight": 0.55, "wide": 0.15}),
        hair_style=_pick(rng, hair),
        hat=_pick(rng, {"none": 82.0, "cap": 7, "beanie": 7, "brim": 4}),
        bag=_pick(rng, bag if adult else {"none": 70.0, "backpack": 30}),
    )


def region_colours(outfit: Outfit) -> np.ndarray:
    """(13, 3) albedo by Region."""
    colour = np.tile(np.array(outfit.skin), (len(Region), 1))
    colour[Region.FOOT] = outfit.shoes
    colour[[Region.CHEST, Region.UPPER_ARM]] = outfit.top
    if outfit.sleeves == "long":
        colour[Region.FOREARM] = outfit.top
    one_piece = outfit.lower == "dress"
    colour[[Region.WAIST, Region.SEAT]] = outfit.top if one_piece else outfit.bottom
    if outfit.upper != "tucked":
        colour[Region.WAIST] = outfit.top
    if outfit.upper in ("jacket", "coat", "long coat"):
        colour[Region.SEAT] = outfit.top
    if outfit.lower in ("trousers", "shorts"):
        colour[Region.THIGH] = outfit.bottom
    if outfit.lower == "trousers":
        colour[Region.SHANK] = outfit.bottom
    if outfit.hair_style != "bald":
        colour[[Region.CROWN, Region.NAPE]] = outfit.hair
    if outfit.hat != "none":
        colour[[Region.CROWN, Region.FOREHEAD]] = outfit.accessory
    return colour


def region_standoff(outfit: Outfit) -> np.ndarray:
    """(13,) metres by which cloth, shoes or hair stand off the skin, by Region, on a grown person."""
    off = np.zeros(len(Region))
    cloth = _STANDOFF[outfit.upper.removeprefix("long ")]
    off[[Region.CHEST, Region.UPPER_ARM]] = cloth
    off[Region.FOREARM] = cloth if outfit.sleeves == "long" else 0.0
    # What hangs loose is wider below; a coat is as wide there as its hem.
    off[Region.WAIST] = cloth + {"tucked": 0.0, "coat": 0.016, "long coat": 0.016}.get(outfit.upper, 0.006)
    off[Region.SEAT] = cloth + 0.008 if outfit.upper in ("jacket", "coat", "long coat") else 0.011
    off[Region.THIGH] = {"trousers": 0.011, "shorts": 0.024}.get(outfit.lower, 0.0)
    off[Region.FOOT] = 0.012
    off[Region.NAPE] = {"bald": 0.0, "short": 0.006}.get(outfit.hair_style, 0.014)
    off[Region.CROWN] = {"bald": 0.0, "short": 0.017}.get(outfit.hair_style, 0.024)
    if outfit.hat != "none":
        off[[Region.CROWN, Region.FOREHEAD]] = 0.024
    return off


def loose_legs(rest: np.ndarray, joints: np.ndarray, legs: np.ndarray, fit: str) -> np.ndarray:
    """Rest vertices (V, 3) whose trouser legs fall straight from the thigh; legs (2, V) bool, left and right."""
    loose = rest.copy()
    size = joints[15, 2] / 1.5
    for mine, (knee, ankle) in zip(legs, ((4, 7), (5, 8)), strict=True):
        down = joints[ankle] - joints[knee]
        along = (rest[mine] - joints[knee]) @ down / (down @ down)
        # Trousers hang from the calf and the kneecap, not from the axis of the bones: its middle is the leg's own.
        axis = joints[knee] + along[:, None] * down + np.array([-0.022 * size, 0, 0])
        out = rest[mine] - axis
        radius = np.linalg.norm(out, axis=1, keepdims=True)
        hem = (0.072 + (_HEM_RADIUS[fit] - 0.072) * np.clip(along, 0, 1)) * size
        loose[mine] = axis + out * np.maximum(1 + 0.010 / radius, hem[:, None] / radius)
    return loose


def extras(outfit: Outfit, rest: np.ndarray, girth: np.ndarray, G: np.ndarray, posed: np.ndarray) -> list[Mesh]:
    """Meshes worn over the body: rest and posed joints (24, 3), G (24, 3, 3), girth (2, 3) corners of the seat."""
    size, parts = rest[15, 2] / 1.5, []
    for name, colour in ((outfit.lower, outfit.bottom), (outfit.upper, outfit.top)):
        if name in _DROP:
            cloth = outfit.top if name == "dress" else colour
            spare = 0.012 if "coat" in name else 0.006
            parts.append(_hem(rest, girth + np.array([[-spare], [spare]]), posed, cloth, _DROP[name]))

    def worn(joint: int, at: Triple, dims: Triple, hue: Colour, box: float) -> None:
        mesh = _lump(np.array(dims) * size, hue, box)
        parts.append(mesh.moved(G[joint], posed[joint] + G[joint] @ (np.array(at) * size)))

    if outfit.hair_style == "long":
        worn(15, (-0.085, 0, -0.03), (0.10, 0.18, 0.32), outfit.hair, 0.75)
    if outfit.hair_style == "bun":
        worn(15, (-0.135, 0, 0.09), (0.085, 0.085, 0.085), outfit.hair, 1.0)
    if outfit.hat == "cap":
        worn(15, (0.125, 0, 0.092), (0.17, 0.155, 0.022), outfit.accessory, 0.8)
    if outfit.hat == "brim":
        worn(15, (-0.012, 0, 0.085), (0.36, 0.33, 0.022), outfit.accessory, 1.0)
    if outfit.bag == "backpack":
        worn(9, (-0.175, 0, 0.05), (0.16, 0.28, 0.42), outfit.accessory, 0.45)
    if outfit.bag == "handbag":
        # It hangs from the hand whatever the arm does.
        bag = _lump(np.array([0.30, 0.11, 0.24]) * size, outfit.accessory, 0.45)
        parts.append(bag.moved(np.eye(3), posed[23] + np.array([0, -0.01, -0.19]) * size))
    if outfit.bag == "satchel":
        worn(0, (-0.03, -0.205, -0.05), (0.30, 0.10, 0.24), outfit.accessory, 0.45)
    return parts


def _hem(rest: np.ndarray, girth: np.ndarray, posed: np.ndarray, colour: Colour, drop: float) -> Mesh:
    """A tube of cloth from the waist around both legs; drop 1 reaches the knees, 2 the ankles."""
    around = 2 * np.pi * np.arange(18) / 18
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    square = np.sign(circle) * np.abs(circle) ** 0.75
    hips = rest[[1, 2], :2]
    before, behind = girth[1, :2] - hips.max(axis=0), girth[0, :2] - hips.min(axis=0)
    waist = posed[[1, 2], 2].mean() + 0.55 * (rest[3, 2] - rest[1, 2])
    rings = []
    for fraction in (0.0, 0.2, 0.45, 0.72, 1.0):
        reach = fraction * drop
        upper, lower = min(reach, 1.0), max(reach - 1.0, 0.0)
        legs = np.stack([_along(posed[list(leg)], upper, lower) for leg in ((1, 4, 7), (2, 5, 8))])
        low, high = legs[:, :2].min(axis=0) + behind, legs[:, :2].max(axis=0) + before
        z = waist + (legs[:, 2].max() - waist) * fraction
        round_waist = max(1 - fraction / 0.45, 0.0)
        outline = (0.96 - 0.10 * round_waist + 0.10 * fraction) * (square + round_waist * (circle - square))
        rings.append(np.c_[outline * (high - low) / 2 + (low + high) / 2, np.full(18, z)])
    return Mesh.build(np.concatenate(rings), _tube(5, 18), colour, smooth_deg=70)


def _along(leg: np.ndarray, upper: float, lower: float) -> np.ndarray:
    """(3,) the point at fractions of thigh and shank of a leg (3, 3): hip, knee, ankle."""
    return leg[0] + upper * (leg[1] - leg[0]) + lower * (leg[2] - leg[1])


def _tube(rings: int, sides: int) -> np.ndarray:
    """(T, 3) triangles, outside facing out, of rings of vertices that go down or up, counter-clockwise from above."""
    index = np.arange((rings - 1) * sides).reshape(rings - 1, sides)
    right = (index + 1) % sides + (index // sides) * sides
    return np.stack([index, index + sides, right + sides, index, right + sides, right], axis=-1).reshape(-1, 3)


def _lump(size: np.ndarray, colour: Colour, box: float) -> Mesh:
    """A bag, a bun, a brim: an ellipsoid of extents (3,) about the origin; the smaller box, the more box-like."""
    u, v = np.meshgrid(2 * np.pi * np.arange(14) / 14, np.linspace(np.pi / 2, -np.pi / 2, 7))
    ball = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], axis=-1)
    vertices = (np.sign(ball) * np.abs(ball) ** box).reshape(-1, 3) * size / 2
    triangles = _tube(7, 14)
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return Mesh.build(vertices, triangles[area > 1e-9], colour, smooth_deg=60)
