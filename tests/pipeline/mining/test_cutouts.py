"""Sprites and shadows of rendered scenes: a disc with an antialiased edge over a textured street, in sun or not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.core import masks
from pipeline.core.frames import StreetJob
from pipeline.core.illumination import PlacedMask, Relit
from pipeline.core.storage import write_table
from pipeline.core.tables import FRAMES, TRACKS, to_table
from pipeline.mining import exact_masks
from pipeline.mining.background_evidence import background_like, edge_fraction, evidence_shard
from pipeline.mining.cast_shadows import ShadowSettings, cast_shadow
from pipeline.mining.cutouts import EDGE_PX, CropJob, CutoutSettings, crop_shard, halo, matte, sprite
from pipeline.mining.exact_masks import exact, exact_masks_shard

HW = (240, 320)
CAMERA = Camera(np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]), HW)
PLANE = GroundPlane.from_tilt(25, 0, 6.0)
COLOUR = np.array([40.0, 60.0, 190.0])
CENTRE, RADIUS = (160.0, 110.0), 22.0


def street(seed: int = 0) -> np.ndarray:
    """A grey street (H, W, 3) float32 with patches and grain."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(-25, 25, (12, 16)).astype(np.float32), HW[::-1], interpolation=cv2.INTER_CUBIC)
    return (140 + coarse + rng.normal(0, 2, HW))[..., None].repeat(3, axis=2).astype(np.float32)


def coverage(centre: tuple[float, float] = CENTRE, radius: float = RADIUS) -> np.ndarray:
    """(H, W) fraction of each pixel that a disc covers."""
    y, x = np.mgrid[: HW[0], : HW[1]]
    return np.clip(radius + 0.5 - np.hypot(x - centre[0], y - centre[1]), 0, 1).astype(np.float32)


def paint(background: np.ndarray, alpha: np.ndarray, colour: np.ndarray = COLOUR) -> np.ndarray:
    return background * (1 - alpha[..., None]) + colour * alpha[..., None]


def rle_of(mask: np.ndarray) -> str:
    return masks.encode(mask, (0, 0), HW)


def relit(frame: np.ndarray, background: np.ndarray, *found: np.ndarray) -> Relit:
    whole = [image.round().clip(0, 255).astype(np.uint8) for image in (frame, background)]
    return Relit(*whole, [rle_of(m) for m in found])


def pasted(image: np.ndarray, box: tuple[int, int, int, int], background: np.ndarray) -> np.ndarray:
    """The sprite painted over a background (H, W, 3) at its place."""
    x, y, w, h = box
    result = background.copy()
    alpha = image[..., 3:] / 255
    result[y : y + h, x : x + w] = result[y : y + h, x : x + w] * (1 - alpha) + image[..., :3] * alpha
    return result


def test_matte_recovers_the_antialiased_edge_and_the_pure_colour() -> None:
    background, truth = street(), coverage()
    alpha, colour = matte(paint(background, truth), background, truth >= 0.5)
    assert np.abs(alpha - truth).max() < 0.3
    assert np.abs(alpha - truth).mean() < 0.5 * np.abs((truth >= 0.5) - truth).mean()
    edge = (truth > 0.3) & (truth < 1)
    assert np.abs(colour[edge] - COLOUR).mean() < 6


def test_alpha_is_one_half_or_more_exactly_where_the_mask_is() -> None:
    background, truth = street(), coverage()
    scene = relit(paint(background, truth), background, truth >= 0.5)
    image, (x, y, w, h) = sprite(scene, scene.placed[0], None)
    assert ((image[..., 3] >= 128) == (truth >= 0.5)[y : y + h, x : x + w]).all()
    assert (w, h) == (2 * int(RADIUS) + 1 + 2 * EDGE_PX,) * 2


def test_a_sprite_pasted_back_gives_the_frame_and_on_another_street_shows_nothing_of_the_first() -> None:
    background, truth = street(), coverage()
    frame = paint(background, truth)
    scene = relit(frame, background, truth >= 0.5)
    image, box = sprite(scene, scene.placed[0], None)
    near = cv2.dilate((truth > 0).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    assert np.abs(pasted(image, box, background) - frame)[near].mean() < 1.0
    dark = np.full_like(background, 20.0)
    halo = pasted(image, box, dark) - paint(dark, truth)
    # A hard edge would leave bright street at the rim: up to half of 120 grey levels.
    assert np.abs(halo[(truth > 0) & (truth < 1)]).mean() < 8


def test_colours_are_in_the_light_of_the_background() -> None:
    background, truth = street(), coverage()
    scene = relit(0.8 * paint(background, truth), background, truth >= 0.5)
    image, _ = sprite(scene, scene.placed[0], None)
    centre = image[image.shape[0] // 2, image.shape[1] // 2, :3]
    np.testing.assert_allclose(centre, COLOUR, atol=6)


def sunny(background: np.ndarray, illumination: float = 0.55) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame, the disc's coverage, and the shadow's (H, W) bool: an ellipse on the ground to the disc's right."""
    truth = coverage()
    shade = np.zeros(HW, np.float32)
    cv2.ellipse(shade, (185, 128), (38, 10), 0, 0, 360, 1.0, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), 1.0)
    return paint(background * (1 - (1 - illumination) * shade[..., None]), truth), truth, (shade > 0.5) & (truth == 0)


SCALE = np.array([30.0, 28.0])


def test_a_cast_shadow_is_kept_with_its_light() -> None:
    background = street()
    frame, truth, shade = sunny(background)
    scene = relit(frame, background, truth >= 0.5)
    shadow = cast_shadow(scene, scene.placed[0], SCALE, ShadowSettings())
    assert shadow is not None
    illumination = shadow.over((0, 0, HW[1], HW[0]))
    found = (illumination < 0.8) & (truth == 0)
    assert (found & shade).sum() / (found | shade).sum() > 0.85
    assert np.median(illumination[shade]) == pytest.approx(0.55, abs=0.05)
    image, box = sprite(scene, scene.placed[0], shadow)
    composed = pasted(image, box, background * illumination[..., None])
    near = cv2.dilate(((truth > 0) | shade).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    assert np.abs(composed - frame)[near].mean() < 3


def test_no_sun_no_shadow_and_another_objects_shadow_is_not_ours() -> None:
    background, truth = street(), coverage()
    scene = relit(paint(background, truth), background, truth >= 0.5)
    assert cast_shadow(scene, scene.placed[0], SCALE, ShadowSettings()) is None
    frame, _, _ = sunny(background)
    other = coverage((250.0, 120.0), 12)
    frame = paint(frame, other)
    cv2.ellipse(shade := np.zeros(HW, np.float32), (275, 126), (20, 6), 0, 0, 360, 1.0, -1)
    frame = np.where(((shade > 0) & (other == 0))[..., None], frame * 0.55, frame)
    scene = relit(frame, background, truth >= 0.5, other >= 0.5)
    shadow = cast_shadow(scene, scene.placed[0], SCALE, ShadowSettings())
    assert shadow is not None
    assert (shadow.over((0, 0, HW[1], HW[0]))[:, 245:] > 0.97).all()


def test_a_pole_that_the_mask_bridges_is_background_like() -> None:
    background, truth = street(), coverage()
    frame = paint(background, truth)
    frame[:, 158:163] = background[:, 158:163]
    noise = np.random.default_rng(1).normal(0, 2, frame.shape)
    scene = relit(frame + noise, background, truth >= 0.5)
    mask = scene.placed[0]
    like_background = background_like(scene, mask)
    x = mask.xy[0]
    pole = np.zeros_like(like_background)
    pole[:, 159 - x : 162 - x] = mask.crop[:, 159 - x : 162 - x]
    assert like_background[pole].mean() > 0.9
    assert (
        like_background[mask.crop & ~cv2.dilate(pole.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)].mean()
        < 0.02
    )


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def whole(placed: PlacedMask) -> np.ndarray:
    """The mask in its frame (H, W)."""
    result, (x, y), (h, w) = np.zeros(HW, bool), placed.xy, placed.crop.shape
    result[y : y + h, x : x + w] = placed.crop
    return result


def test_an_exact_mask_is_closer_to_the_truth_than_a_rough_one_with_a_shadow() -> None:
    background = street()
    frame, truth, shade = sunny(background)
    rough = cv2.dilate((truth >= 0.5).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) | shade
    scene = relit(frame, background, rough)
    found = whole(exact(scene, scene.placed[0], "vehicle"))
    assert overlap(found, truth >= 0.5) > max(0.88, overlap(rough, truth >= 0.5) + 0.25)


def test_an_exact_mask_takes_nothing_that_another_detection_owns(monkeypatch: pytest.MonkeyPatch) -> None:
    background, truth = street(), coverage() >= 0.5
    left, right = truth.copy(), truth.copy()
    left[:, 165:], right[:, :165] = False, False
    scene = relit(paint(background, coverage()), background, left, right)
    # A network that sees the whole disc in the whole frame, whichever half it is asked for.
    monkeypatch.setattr(exact_masks, "MARGIN_PX", max(HW))
    monkeypatch.setattr(exact_masks, "refined", lambda *_: truth.astype(np.float32))
    assert (whole(exact(scene, scene.placed[0], "vehicle")) == left).all()


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_rough_mask_stays_where_the_network_disagrees_with_it(chance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    background, truth = street(), coverage() >= 0.5
    scene = relit(background, background, truth)
    monkeypatch.setattr(exact_masks, "MARGIN_PX", 40)
    monkeypatch.setattr(exact_masks, "refined", lambda frame, *_: np.full(frame.shape[:2], chance, np.float32))
    assert (whole(exact(scene, scene.placed[0], "vehicle")) == truth).all()


@pytest.mark.parametrize(
    ("category", "chance", "darker", "below", "kept"),
    [
        ("vehicle", 0.65, 0.6, True, False),  # shade under a car that the network half believes
        ("vehicle", 0.75, 0.6, True, True),
        ("person", 0.65, 0.6, True, True),  # shoes are dark
        ("person", 0.55, 0.6, True, False),
        ("vehicle", 0.65, 1.4, True, True),  # no shade is brighter
        ("vehicle", 0.65, 0.05, True, True),  # nor black
        ("vehicle", 0.65, 0.6, False, True),  # nor on a roof
    ],
)
def test_what_may_be_shade_at_an_objects_foot_has_to_be_surer(
    category: str, chance: float, darker: float, below: bool, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    background = street()
    body, strip = np.zeros(HW, bool), np.zeros(HW, bool)
    body[40:80, 100:150] = True
    strip[80:86, 100:150] = below
    strip[34:40, 100:150] = not below
    frame = background.copy()
    frame[body] = (40, 60, 200)
    frame[strip] *= darker
    scene = relit(frame, background, body | strip)
    monkeypatch.setattr(exact_masks, "MARGIN_PX", max(HW))
    monkeypatch.setattr(exact_masks, "refined", lambda *_: np.where(body, 1.0, np.where(strip, chance, 0.0)))
    found = whole(exact(scene, scene.placed[0], category))
    assert (found == (body | strip if kept else body)).all()


def camera_folder(root: Path) -> CropJob:
    """One frame with two discs, one of them accepted, and a CropJob for it."""
    background = street()
    frame, truth, _ = sunny(background)
    other = coverage((60.0, 180.0), 12)
    frame = paint(frame, other)
    for name, image in (("frames/images/000003.png", frame), ("background/noon.png", background)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), image.round())
    now = dt.datetime(2025, 5, 14, 12, tzinfo=dt.UTC)
    index = {"frame_id": 3, "timestamp": now, "bucket": "noon", "sequence": 0, "source": "frames/images/000003.png"}
    index |= {"position": -1, "width": HW[1], "height": HW[0], "status": "ok"}
    write_table(root / "index.parquet", to_table([index], FRAMES))
    rows = []
    for number, mask in enumerate((truth >= 0.5, other >= 0.5)):
        crop, (x, y, w, h) = masks.decode(rle_of(mask), HW)
        row = {"detection_id": 30000 + number, "frame_id": 3, "category": "vehicle", "subcategory": None, "score": 0.9}
        row |= {"bbox_xywh": [x, y, w, h], "mask_rle": masks.encode(crop, (x, y), HW), "timestamp": now}
        row |= {"bucket": "noon", "sequence": 0, "track_id": number, "foot_xy_m": [0.0, 9.0]}
        rows.append(row | {"velocity_xy_mps": [1.0, 0.0]})
    write_table(root / "tracks.parquet", to_table(rows, TRACKS))
    write_table(root / "accepted.parquet", pa.table({"detection_id": [30000], "stationary": [True]}))
    paths = {"index": root / "index.parquet", "root": root, "backgrounds": root / "background"}
    paths |= {"tracks": root / "tracks.parquet", "accepted": root / "accepted.parquet", "out": root / "cut.parquet"}
    return CropJob("block 0", (2, 3, 4), camera=CAMERA, plane=PLANE, settings=CutoutSettings(), **paths)


def test_crop_shard_writes_the_accepted_detections_with_sprite_and_shadow(tmp_path: Path) -> None:
    job = camera_folder(tmp_path)
    assert crop_shard(job) == 1
    (row,) = pq.read_table(job.out).to_pylist()
    assert (row["cutout_id"], row["stationary"], row["track_id"]) == (30000, True, 0)
    image = cv2.imdecode(np.frombuffer(row["sprite"], np.uint8), cv2.IMREAD_UNCHANGED)
    x, y = row["sprite_xy"]
    alpha = np.zeros(HW, bool)
    alpha[y : y + image.shape[0], x : x + image.shape[1]] = image[..., 3] >= 128
    assert (alpha == masks.full(row["mask_rle"], HW)).all()
    illumination = cv2.imdecode(np.frombuffer(row["shadow"], np.uint8), cv2.IMREAD_UNCHANGED)
    assert illumination.ndim == 2
    assert illumination.min() < 0.65 * 255


def test_the_same_shard_gives_the_same_bytes(tmp_path: Path) -> None:
    job = camera_folder(tmp_path)
    crop_shard(job)
    first = job.out.read_bytes()
    crop_shard(job)
    assert job.out.read_bytes() == first


def test_exact_masks_shard_changes_masks_and_boxes_alone(tmp_path: Path) -> None:
    job = camera_folder(tmp_path)
    rows = pq.read_table(job.tracks).to_pylist()
    truth = masks.full(rows[0]["mask_rle"], HW)
    rough = cv2.dilate(truth.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    crop, (x, y, w, h) = masks.decode(rle_of(rough), HW)
    rows[0] |= {"bbox_xywh": [x, y, w, h], "mask_rle": masks.encode(crop, (x, y), HW)}
    write_table(job.tracks, to_table(rows, TRACKS))
    out = tmp_path / "exact.parquet"
    assert exact_masks_shard(StreetJob("block 0", (2, 3), job.index, job.root, job.tracks, out, job.backgrounds)) == 2
    table = pq.read_table(out)
    assert table.schema == TRACKS
    for before, after in zip(rows, table.to_pylist(), strict=True):
        found = masks.full(after["mask_rle"], HW)
        assert [after["bbox_xywh"]] == [list(cv2.boundingRect(found.astype(np.uint8)))]
        assert {k: v for k, v in after.items() if k not in ("mask_rle", "bbox_xywh")} == {
            k: v for k, v in before.items() if k not in ("mask_rle", "bbox_xywh")
        }
    found = masks.full(table["mask_rle"][0].as_py(), HW)
    assert overlap(found, truth) > max(0.9, overlap(rough, truth) + 0.15)


def test_evidence_shard_has_a_row_of_every_detection(tmp_path: Path) -> None:
    job = camera_folder(tmp_path)
    image = cv2.imread(str(tmp_path / "frames/images/000003.png"))
    image[:, 158:163] = cv2.imread(str(tmp_path / "background/noon.png"))[:, 158:163]
    cv2.imwrite(str(tmp_path / "frames/images/000003.png"), image)
    out = tmp_path / "backdrop.parquet"
    assert evidence_shard(StreetJob("block 0", (3,), job.index, job.root, job.tracks, out, job.backgrounds)) == 2
    first, second = pq.read_table(out).to_pylist()
    assert (first["detection_id"], second["detection_id"]) == (30000, 30001)
    assert masks.full(first["bare_rle"], HW)[100:120, 159:162].all()
    assert second["bare_rle"] is None
    assert max(first["edge_share"], second["edge_share"]) < 0.1


def test_an_outline_that_follows_the_background_is_told_from_one_that_crosses_it() -> None:
    background = street()
    background[:, 170:] -= 60.0
    whole, truncated = coverage() >= 0.5, coverage() >= 0.5
    truncated[:, 170:] = False
    scene = relit(background, background, whole)
    edge = relit(background, background, truncated)
    assert edge_fraction(scene, scene.placed[0]) < 0.1
    assert edge_fraction(edge, edge.placed[0]) > 0.2


def test_a_background_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="run EmptyStreet"):
        Relit(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8), [])


def test_a_sharpened_edge_comes_back_with_the_halo_and_the_ground_stays_without_one() -> None:
    background, truth = street(), coverage()
    plain = paint(background, truth, np.array([20.0, 20.0, 20.0]))
    sharpened = np.clip(plain + 0.8 * (plain - cv2.GaussianBlur(plain, (0, 0), 1.5)), 0, 255)
    ground = np.hypot(*(np.mgrid[: HW[0], : HW[1]] - np.array([CENTRE[1], CENTRE[0]])[:, None, None])) > RADIUS + 8
    sharpened[ground] = background[ground]
    scene = relit(sharpened, background, truth >= 0.5)
    image, box = sprite(scene, scene.placed[0], None)
    x, y, w, h = box
    added = halo(scene, scene.placed[0], None, image).astype(float) - 128
    with_halo = background.copy()
    with_halo[y : y + h, x : x + w] += added
    outside = (truth == 0) & ~ground
    error = [np.abs(pasted(image, box, under) - sharpened)[outside].mean() for under in (background, with_halo)]
    assert error[0] > 4 and error[1] < 0.4 * error[0]
    assert (added[(truth >= 0.5)[y : y + h, x : x + w]] == 0).all()
    assert np.abs(added[0]).max() == 0, "a halo ends before its box does"


def test_noise_alone_makes_no_halo() -> None:
    background, truth = street(), coverage()
    noisy = paint(background, truth) + np.random.default_rng(3).normal(0, 2.0, (*HW, 3))
    scene = relit(noisy, background, truth >= 0.5)
    image, _ = sprite(scene, scene.placed[0], None)
    added = halo(scene, scene.placed[0], None, image).astype(float) - 128
    assert np.abs(added[image[..., 3] == 0]).mean() < 1.0


def test_a_shadow_fades_as_it_was_seen_to_and_has_no_edge() -> None:
    background, truth = street(), coverage()
    y, x = np.mgrid[: HW[0], : HW[1]]
    away = np.hypot((x - CENTRE[0]) / 1.6, y - CENTRE[1] - RADIUS)
    left = 1 - 0.3 * np.exp(-((away / 14) ** 2))
    scene = relit(paint(background * left[..., None], truth), background, truth >= 0.5)
    found = cast_shadow(scene, scene.placed[0], np.array([60.0, 50.0]), ShadowSettings())
    assert found is not None
    kept = found.over((0, 0, HW[1], HW[0]))
    ground = (truth == 0) & (y > CENTRE[1])
    assert np.abs(kept - left)[ground].max() < 0.07
    steps = np.abs(np.diff(kept, axis=0))[ground[1:]]
    assert steps.max() < 0.045, "the shadow ends in a line"


def test_the_faint_dark_at_the_foot_is_kept_where_nothing_is_dark_enough_for_a_shadow() -> None:
    background, truth = street(), coverage()
    y, x = np.mgrid[: HW[0], : HW[1]]
    left = 1 - 0.05 * np.exp(-(((np.hypot(x - CENTRE[0], y - CENTRE[1] - RADIUS)) / 10) ** 2))
    scene = relit(paint(background * left[..., None], truth), background, truth >= 0.5)
    found = cast_shadow(scene, scene.placed[0], np.array([60.0, 50.0]), ShadowSettings())
    assert found is not None
    below = found.over((0, 0, HW[1], HW[0]))[int(CENTRE[1] + RADIUS) + 4, int(CENTRE[0])]
    assert below == pytest.approx(0.96, abs=0.015)
