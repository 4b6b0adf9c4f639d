"""A form of calibration, built and checked: what cannot be is refused in one line that says what it looks like."""

from __future__ import annotations

from calibration import plausibility
from calibration.camera import Camera, GroundPlane
from data_manifest.calibration.form import Form, Resolve, SizeHw


def checked(form: Form, size_hw: SizeHw | None, resolve: Resolve) -> tuple[Camera, GroundPlane, list[str]]:
    """Camera and plane of a form, and what is doubtful about them; size_hw: of the pictures, None where unknown.

    Raises ValueError, one line, for what cannot be, with the likeliest other way to read the numbers.
    """
    size = form.size_hw(resolve) or size_hw
    try:
        camera, plane = form.build(size or _size_of(form), resolve)
    except ValueError as error:
        raise ValueError(f"{error}{_looks_like(form, size, resolve)}") from None
    found = plausibility.findings(camera, plane, sized=size is not None)
    if found and found[0].refused:
        raise ValueError(found[0].text + _looks_like(form, size, resolve))
    return camera, plane, [one.text + _looks_like(form, size, resolve) for one in found]


def _size_of(form: Form) -> SizeHw:
    """Where nothing tells the pictures' size: as if the principal point were their middle."""
    K = getattr(form, "K", None)
    return (round(2 * K[1][2]) + 1, round(2 * K[0][2]) + 1) if K else (1080, 1920)


def _looks_like(form: Form, size_hw: SizeHw | None, resolve: Resolve) -> str:
    """The first other reading of the same numbers about which nothing is implausible, in words."""
    for words, other in form.variants():
        try:
            camera, plane = other.build(size_hw or _size_of(form), resolve)
        except ValueError:
            continue
        if not plausibility.findings(camera, plane):
            tilt = plausibility.tilt_deg(plane)
            return f"; it looks like {words}, which would be {plane.d:.3g} m up and tilted by {tilt:.0f} degrees"
    return ""
