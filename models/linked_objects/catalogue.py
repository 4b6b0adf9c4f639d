"""The sixteen classes that are rendered: vehicles and people of the simulated street, things of streets and rooms.

`left` and `right` are an object's own, as one sits in it or stands in it; of a bin, sign or monitor those of somebody
behind it.
"""

from __future__ import annotations

from models.linked_objects.classes import ClassTable, ObjectClass
from pipeline.core.skeletons import COCO_17, VEHICLE_12

Pairs = list[tuple[str, str]]


def _both(*links: tuple[str, str]) -> Pairs:
    """Links of one side, written with {}, on the left and on the right."""
    return [(a.format(side), b.format(side)) for a, b in links for side in ("left", "right")]


def _across(*points: str) -> Pairs:
    """Links between the left and the right one of points, written with {}."""
    return [(point.format("left"), point.format("right")) for point in points]


def _sided(*points: str) -> list[str]:
    """Points written with {}, the left one before the right; those without stand once."""
    return [p for point in points for p in (_across(point)[0] if "{}" in point else (point,))]


def _vehicle(name: str, *aliases: str) -> ObjectClass:
    # PASCAL3D+'s names of a car's twelve, in the order of VEHICLE_12.
    anchors = _ANCHORS if name == "car" else {}
    points = VEHICLE_12.names
    links = [(points[a], points[b]) for a, b in VEHICLE_12.links]
    return ObjectClass.of_names(name, points, links, None, aliases, anchors)


_ANCHORS = {
    "right back light": ["right_back_trunk"], "left back light": ["left_back_trunk"],
    "right front headlight": ["right_front_light"], "left front headlight": ["left_front_light"],
    "right front roof corner": ["upper_right_windshield"], "left front roof corner": ["upper_left_windshield"],
    "right back roof corner": ["upper_right_rearwindow"], "left back roof corner": ["upper_left_rearwindow"],
}  # fmt: skip


def _person() -> ObjectClass:
    """COCO's seventeen less eyes and ears, which are a pixel or two apart on a street."""
    kept = [name for name in COCO_17.names if not name.endswith(("eye", "ear"))]
    pairs = [(COCO_17.names[a], COCO_17.names[b]) for a, b in COCO_17.links]
    links = [(a, b) for a, b in pairs if a in kept and b in kept]
    return ObjectClass.of_names("person", kept, [*links, *_both(("nose", "{}_shoulder"))], None, ("pedestrian",))


_SEAT = ["seat front {}", "seat back {}", "back top {}", "front foot {}", "back foot {}"]
_SEAT_LINKS = [
    *_across("seat front {}", "seat back {}", "back top {}"),
    *_both(
        ("seat front {}", "seat back {}"), ("seat back {}", "back top {}"), ("seat front {}", "front foot {}"),
        ("seat back {}", "back foot {}"),
    ),
]  # fmt: skip

CATALOGUE = ClassTable(
    (
        _vehicle("car", "automobile"),
        _vehicle("van", "minibus"),
        _vehicle("bus", "coach"),
        _vehicle("lorry", "truck"),
        ObjectClass.of_names(
            "motorbike",
            _sided("front wheel", "back wheel", "headlight", "handle {}", "front seat", "back seat", "engine"),
            [
                ("front wheel", "headlight"), *_both(("headlight", "handle {}")), ("headlight", "front seat"),
                ("front seat", "back seat"), ("back seat", "back wheel"), ("engine", "back wheel"),
                ("engine", "front wheel"), ("engine", "front seat"),
            ],
            None,
            ("motorcycle",),
            {
                "front wheel": ["left_front_wheel", "right_front_wheel"], "headlight": ["headlight_center"],
                "back wheel": ["left_back_wheel", "right_back_wheel"], "handle left": ["left_handle_center"],
                "handle right": ["right_handle_center"],
            },
        ),
        ObjectClass.of_names(
            "bicycle",
            _sided("front wheel", "back wheel", "crank", "saddle", "head", "handle {}", "pedal {}"),
            [
                ("front wheel", "head"), *_both(("head", "handle {}")), ("head", "crank"), ("head", "saddle"),
                ("saddle", "crank"), ("crank", "back wheel"), ("saddle", "back wheel"), *_both(("crank", "pedal {}")),
            ],
            None,
            ("bike",),
            {
                "front wheel": ["left_front_wheel", "right_front_wheel"], "head": ["head_center"],
                "back wheel": ["left_back_wheel", "right_back_wheel"], "saddle": ["seat_back", "seat_front"],
                "handle left": ["left_handle"], "handle right": ["right_handle"],
                "pedal left": ["left_pedal_center"], "pedal right": ["right_pedal_center"],
            },
        ),
        _person(),
        ObjectClass.of_names("bench", _sided(*_SEAT), _SEAT_LINKS),
        ObjectClass.of_names(
            "chair", _sided(*_SEAT), _SEAT_LINKS, None, (),
            {
                **{f"back top {s}": [f"back_upper_{s}"] for s in ("left", "right")},
                **{f"seat back {s}": [f"seat_upper_{s}"] for s in ("left", "right")},
                **{f"seat front {s}": [f"seat_lower_{s}"] for s in ("left", "right")},
                **{f"back foot {s}": [f"leg_upper_{s}"] for s in ("left", "right")},
                **{f"front foot {s}": [f"leg_lower_{s}"] for s in ("left", "right")},
            },
        ),
        ObjectClass.of_names(
            "table",
            _sided("top front {}", "top back {}", "front foot {}", "back foot {}"),
            [
                *_across("top front {}", "top back {}"),
                *_both(
                    ("top front {}", "top back {}"), ("top front {}", "front foot {}"), ("top back {}", "back foot {}")
                ),
            ],
            None,
            ("diningtable", "dining table"),
            {
                f"{ours} {s}": [f"{theirs}_{s}"]
                for ours, theirs in (
                    ("top front", "top_lower"), ("top back", "top_upper"), ("front foot", "leg_lower"),
                    ("back foot", "leg_upper"),
                )
                for s in ("left", "right")
            },
        ),
        ObjectClass.of_names(
            "sofa",
            _sided("arm {}", "back top {}", "seat front {}", "front foot {}", "back foot {}"),
            [
                *_across("back top {}", "seat front {}", "front foot {}"),
                *_both(
                    ("arm {}", "back top {}"), ("arm {}", "front foot {}"), ("back top {}", "back foot {}"),
                    ("front foot {}", "back foot {}"), ("seat front {}", "arm {}"),
                ),
            ],
            None,
            ("couch",),
            {
                "back top left": ["top_left_corner"], "back top right": ["top_right_corner"],
                "front foot left": ["front_bottom_left"], "front foot right": ["front_bottom_right"],
                "back foot left": ["left_bottom_back"], "back foot right": ["right_bottom_back"],
                "seat front left": ["seat_bottom_left"], "seat front right": ["seat_bottom_right"],
            },
        ),
        ObjectClass.of_names(
            "bus shelter",
            _sided("roof front {}", "roof back {}", "front foot {}", "back foot {}", "seat {}"),
            [
                *_across("roof front {}", "roof back {}", "seat {}"),
                *_both(
                    ("roof front {}", "roof back {}"), ("roof front {}", "front foot {}"),
                    ("roof back {}", "back foot {}"), ("seat {}", "back foot {}"),
                ),
            ],
        ),
        ObjectClass.of_names(
            "traffic light",
            ["foot", "pole top", "red", "amber", "green"],
            [("foot", "pole top"), ("pole top", "red"), ("red", "amber"), ("amber", "green")],
        ),
        ObjectClass.of_names(
            "street sign",
            _sided("foot", "plate bottom", "plate {}", "plate top"),
            [("foot", "plate bottom"), *_both(("plate bottom", "plate {}"), ("plate top", "plate {}"))],
            None,
            ("traffic sign", "stop sign"),
        ),
        ObjectClass.of_names(
            "bin",
            _sided("lid front {}", "lid back {}", "front foot {}", "wheel {}"),
            [
                *_across("lid front {}", "lid back {}", "front foot {}", "wheel {}"),
                *_both(("lid front {}", "lid back {}"), ("lid front {}", "front foot {}"), ("lid back {}", "wheel {}")),
            ],
            None,
            ("dustbin", "trash can"),
        ),
        ObjectClass.of_names(
            "monitor",
            _sided("top {}", "bottom {}", "neck", "foot {}"),
            [
                *_across("top {}", "bottom {}", "foot {}"),
                *_both(("top {}", "bottom {}"), ("bottom {}", "neck"), ("neck", "foot {}")),
            ],
            None,
            ("tvmonitor", "tv"),
            {
                **{f"top {s}": [f"front_top_{s}"] for s in ("left", "right")},
                **{f"bottom {s}": [f"front_bottom_{s}"] for s in ("left", "right")},
            },
        ),
    )
)  # fmt: skip
