"""What of a calibration cannot be, or hardly: each finding is one sentence for people.

Nothing is corrected here. `refused` findings are of cameras that nothing could come of; the others are told once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.camera import Camera, GroundPlane

# Street cameras: horizontal view angles, heights and tilts that occur, and those that cannot.
_VIEW_DEG = (4.0, 110.0)
_VIEW_DEG_POSSIBLE = (0.8, 140.0)
_HEIGHT_M = (1.5, 80.0)
_HEIGHT_M_POSSIBLE = (0.5, 500.0)
_LOWEST_TILT_DEG = -3.0
_MOST_ROLL_DEG = 25.0
_SQUARE = (0.8, 1.25)
_SQUARE_POSSIBLE = (0.6, 1.6)
_LEAST_GROUND = (0.02, 0.25)  # of the picture: impossible below, doubtful below
_FOLD_PX = 1.0
_LEAST_FOCAL_PX = 20.0
_MILLIMETRES = "pixels = millimetres * the picture's width in pixels / the sensor's width in millimetres"
# Lenses are centred to a few thousandths; a fisheye's third and fourth terms taken for p1 and p2 are larger.
_MOST_TANGENTIAL = 0.005


@dataclass(frozen=True)
class Finding:
    """One sentence, and whether nothing could come of such a calibration."""

    text: str
    refused: bool


def findings(camera: Camera, plane: GroundPlane, *, sized: bool = True) -> list[Finding]:
    """All that is implausible, the impossible first; sized: whether the camera's size_hw is known."""
    found = [*of_plane(plane)]
    if sized:
        found = [*of_lens(camera), *found, *_of_view(camera, plane)]
    return sorted(found, key=lambda one: not one.refused)


def of_matrix(K: np.ndarray) -> list[Finding]:
    """Of K (3, 3) as it was written, before a camera is made of it."""
    K = np.asarray(K, float)
    text = _of_matrix(K)
    return [Finding(text, True)] if text else []


def _of_matrix(K: np.ndarray) -> str | None:
    last, (fx, fy) = [float(v) for v in K[2]], np.diag(K)[:2]
    if not np.allclose(K[2], [0, 0, 1]):
        looks = ""
        if np.allclose(K[:, 2], [0, 0, 1]):
            looks = ": it looks transposed, as MATLAB writes it; turn rows and columns round"
        elif np.allclose(K[2, :2], 0) and K[2, 2]:
            looks = f": divide all of K by {K[2, 2]:g}"
        return f"K: expected the last row [0, 0, 1], got {last}{looks}"
    got = f"its focal lengths are {fx:g} and {fy:g}"
    if fx < 0 or fy < 0:
        return f"K: {got}, expected positive ones: is it of OpenGL? Leave out the signs and say `axes: opengl`"
    if 0 < fx < _LEAST_FOCAL_PX and 0 < fy < _LEAST_FOCAL_PX:
        if 0 <= K[0, 2] <= 2 and 0 <= K[1, 2] <= 2:
            return (
                f"K: {got}, it looks normalised by the picture's size: multiply its first row by the width in pixels, "
                "its second by the height"
            )
        return f"K: {got}, they look like millimetres: {_MILLIMETRES}"
    if not fx > 0 or not fy > 0:
        return f"K: {got}, expected positive ones"
    return f"K: expected 0 below its diagonal, got {K[1, 0]:g}" if abs(K[1, 0]) > 1e-9 else None


def of_terms(distortion: np.ndarray) -> list[Finding]:
    """Of a lens's terms (N,) as they were written for OpenCV's own model."""
    if len(distortion) == 4 and np.abs(distortion[2:]).max() > _MOST_TANGENTIAL:
        return [Finding(
            f"distortion: four terms whose p1 and p2 would be {distortion[2]:g} and {distortion[3]:g}, more than any "
            "lens has: they look like a fisheye lens's k1 k2 k3 k4, say `lens: fisheye`; if they are k1 k2 p1 p2, "
            "write a fifth, k3, of 0", True,
        )]  # fmt: skip
    return []


def of_plane(plane: GroundPlane) -> list[Finding]:
    """Of where the camera is above the ground and how it looks at it."""
    tilt, roll, found = tilt_deg(plane), roll_deg(plane), []
    if not _HEIGHT_M_POSSIBLE[0] <= plane.d <= _HEIGHT_M_POSSIBLE[1]:
        found.append(Finding(f"the camera would be {plane.d:.4g} m above the ground", True))
    elif not _HEIGHT_M[0] <= plane.d <= _HEIGHT_M[1]:
        found.append(Finding(f"the camera would be {plane.d:.4g} m above the ground, which is rare", False))
    if plane.n[1] > 0.2:
        found.append(Finding(
            f"the picture would be upside down, the ground's normal ({_shown(plane.n)}) points down in it", True
        ))  # fmt: skip
    elif tilt < _LOWEST_TILT_DEG:
        found.append(Finding(
            f"the camera would look up, {-tilt:.1f} degrees above the horizon; tilts are counted downwards", False
        ))  # fmt: skip
    elif abs(roll) > _MOST_ROLL_DEG and tilt < 70:
        found.append(Finding(f"the horizon would lean by {abs(roll):.0f} degrees", False))
    return found


def of_lens(camera: Camera) -> list[Finding]:
    """Of focal length, principal point and lens distortion, against the picture's size."""
    (height, width), K = camera.size_hw, camera.K
    found = []
    view = np.degrees(2 * np.arctan(width / (2 * K[0, 0])))
    if not camera.fisheye and not _VIEW_DEG[0] <= view <= _VIEW_DEG[1]:
        if K[0, 0] < 50:
            looks = (
                ": it looks like millimetres; pixels = millimetres * picture's width / sensor's width in millimetres"
            )
        elif view > _VIEW_DEG[1]:
            looks = ": is it of smaller pictures (image_size_wh)?"
        else:
            looks = ": is it of larger pictures (image_size_wh), or the tilt's?"
        text = f"a focal length of {K[0, 0]:.4g} px in pictures {width} px wide would be a view of {view:.1f} degrees"
        found.append(Finding(text + looks, not _VIEW_DEG_POSSIBLE[0] <= view <= _VIEW_DEG_POSSIBLE[1]))
    square = K[1, 1] / K[0, 0]
    if not _SQUARE[0] <= square <= _SQUARE[1]:
        text = f"K: pixels would be {square:.2f} times as wide as high: are its two focal lengths of one picture?"
        found.append(Finding(text, not _SQUARE_POSSIBLE[0] <= square <= _SQUARE_POSSIBLE[1]))
    cx, cy = K[:2, 2]
    off = max(abs(cx / width - 0.5), abs(cy / height - 0.5))
    if off > 0.15:
        of = f"{2 * cx + 1:.0f}", f"{2 * cy + 1:.0f}"
        text = (
            f"the principal point ({cx:.1f}, {cy:.1f}) is far from the middle of {width}x{height} pictures: is it of "
            f"pictures of {'x'.join(of)}? Then say image_size_wh: [{', '.join(of)}]"
        )
        found.append(Finding(text, off > 0.5))
    folded = _folded_px(camera)
    if folded > _FOLD_PX:
        found.append(Finding(
            "distortion: the lens would fold the picture over before its corners: are the terms of another order, sign "
            "or lens?", True,
        ))  # fmt: skip
    return found


def _folded_px(camera: Camera) -> float:
    """How far the picture's rim is from where its own rays are seen, pixels: beyond a lens's fold no ray leads back."""
    height, width = camera.size_hw
    x, y = np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9)
    rim = np.concatenate([
        np.stack([x, 0 * x], 1), np.stack([x, 0 * x + height - 1], 1), np.stack([0 * y, y], 1),
        np.stack([0 * y + width - 1, y], 1),
    ])  # fmt: skip
    back = camera.project(camera.rays(rim))
    off = np.linalg.norm(back - rim, axis=1)
    # Of a fisheye, rays to the side have no pixel to come back to.
    return float(np.nanmax(off, initial=0)) if camera.fisheye else float(np.nan_to_num(off, nan=np.inf).max())


def _of_view(camera: Camera, plane: GroundPlane) -> list[Finding]:
    fraction = ground_fraction(camera, plane)
    text = f"only {fraction:.0%} of the picture would be ground, the rest above the horizon"
    if fraction < _LEAST_GROUND[0]:
        return [Finding(text.replace("only 0%", "nothing"), True)]
    return [Finding(text, False)] if fraction < _LEAST_GROUND[1] else []


def ground_fraction(camera: Camera, plane: GroundPlane) -> float:
    """Fraction of the picture that is below the horizon."""
    height, width = camera.size_hw
    pixels = np.stack(np.meshgrid(np.linspace(0, width - 1, 16), np.linspace(0, height - 1, 50)), -1)
    return float(np.isfinite(plane.intersect(camera, pixels)[..., 0]).mean())


def tilt_deg(plane: GroundPlane) -> float:
    """Degrees that the camera looks below the horizon."""
    return float(np.degrees(np.arcsin(np.clip(-plane.n[2], -1, 1))))


def roll_deg(plane: GroundPlane) -> float:
    """The camera's own roll in degrees, clockwise as seen from behind it."""
    return float(np.degrees(np.arctan2(-plane.n[0], -plane.n[1])))


def _shown(n: np.ndarray) -> str:
    return ", ".join(f"{v:.2f}" for v in n)
