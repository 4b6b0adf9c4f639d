"""What traffic tells of a camera and what it leaves open, for people; and distances as people give them."""

from __future__ import annotations

import numpy as np

from calibration.control_points import NAMES, named
from calibration.traffic.evidence import Distance
from calibration.traffic.fit import TrafficFit
from calibration.traffic.outlines import PERSON

_CALLED = {"focal_px": "focal length", "tilt_deg": "tilt", "roll_deg": "roll", "height_m": "height"}
ASKED = "--distance x1,y1,x2,y2,metres"
_SAY = 0.3  # tracks of less weight have no say


def distances_of(text: str) -> tuple[Distance, ...]:
    """Distances out of "x1,y1,x2,y2,metres", several with a semicolon between them. Raises ValueError for any other."""
    found = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        try:
            numbers = [float(number) for number in part.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != 5 or not np.isfinite(numbers).all():
            raise ValueError(
                f"--distance {part}: expected x1,y1,x2,y2,metres: two pixels on the road, and how far apart"
            )
        start, end = np.array(numbers[:2]), np.array(numbers[2:4])
        if not numbers[4] > 0 or np.linalg.norm(end - start) < 5:
            raise ValueError(f"--distance {part}: expected two pixels that are apart, and metres above 0")
        found.append(Distance(start, end, numbers[4]))
    return tuple(found)


def in_words(fit: TrafficFit) -> list[str]:
    """What was found, by whom, and what is not known: a sentence each."""
    focal, tilt, roll, height = named(fit.camera, fit.plane)
    sd = np.sqrt(np.diag(fit.covariance))
    counted = fit.weight > _SAY
    people, others = (int((counted & ((fit.tracks.kind == PERSON) == who)).sum()) for who in (True, False))
    directions = len(fit.vanishing_px)
    told = [
        f"focal {focal:.0f} ± {sd[0]:.0f} px, tilt {tilt:.1f} ± {sd[1]:.1f}, roll {roll:.1f} ± {sd[2]:.1f} degrees, "
        f"height {height:.2f} ± {sd[3]:.2f} m"
        + (f", distortion k1 {fit.camera.distortion[0]:.3f}" if fit.camera.distortion.any() else "")
        + f", by {people} people and {_counted(others, 'vehicle')} in {_counted(directions, 'main direction')}"
    ]
    if fit.undetermined:
        open_ = " and ".join(_CALLED[name] for name in NAMES if name in fit.undetermined)
        told.append(f"the traffic does not tell the {open_}: {_why(fit, people, others)}; {_what_helps(fit)}")
    return told


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _why(fit: TrafficFit, people: int, others: int) -> str:
    directions = len(fit.vanishing_px)
    if directions == 1 and people < 5:
        return f"it sees one straight road, with {_counted(others, 'vehicle')}, and hardly anyone who walks"
    if people + others < 12:
        return f"only {people + others} tracks could be used"
    return "what it sees is alike everywhere"


def _what_helps(fit: TrafficFit) -> str:
    along = "along the road" if "focal_px" in fit.undetermined else "on the road"
    return f"measure one distance {along}, as long as can be, and add {ASKED}, or let it record for longer"
