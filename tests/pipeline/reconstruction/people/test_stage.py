"""Bodies in place of outlines: people of known pose on a street, and a network that is a stand-in."""

import boxes
import footage
import numpy as np
import pyarrow as pa
import pytest
from bodies_seen import CAMERA, PLANE, guessed, street

from models.body_model import load_body
from models.contract import find
from models.poses import load_prior
from models.predictor import FramePredictor
from pipeline.core import masks
from pipeline.core.tables import CUTOUTS, FRAMES, RECONSTRUCTED, TRACKS
from pipeline.reconstruction.headings import Headings
from pipeline.reconstruction.outline_fit import Outlined, ReconstructSettings, place_by_outline
from pipeline.reconstruction.people.stage import MetricPeopleSettings, PeopleFitSettings, fit_people_rows, regress
from pipeline.reconstruction.people.types import RegressedPeople
from pipeline.reconstruction.support_function import outline_of_mask

BODY = load_body()
SETTINGS = MetricPeopleSettings(fit=PeopleFitSettings(iterations=40))
FILLED = ("smpl_theta", "smpl_beta", "smpl_transl", "body_model")


@pytest.fixture(scope="module")
def scene():
    return street(BODY, [0, 0, 1])


def cutouts_of(scene):
    """Their masks, as hulls of their vertices."""
    rows = []
    for i, vertices in enumerate(scene.vertices):
        mask = boxes.hull_mask(vertices, CAMERA)
        ys, xs = np.nonzero(mask)
        x, y, w, h = int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1
        rle = masks.encode(mask[y : y + h, x : x + w], (x, y), CAMERA.size_hw)
        rows.append({"frame_id": i, "bbox_xywh": [float(v) for v in (x, y, w, h)], "mask_rle": rle})
    return pa.Table.from_pylist(rows)


def outlined(scene, refusal):
    blank = {name: None for name in RECONSTRUCTED.names}
    rows = [
        blank
        | {"cutout_id": i, "track_id": int(t), "frame_id": i, "bucket": "noon", "category": "person",
           "fit_ok": False, "refusal": refusal}
        for i, t in enumerate(scene.track)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=RECONSTRUCTED)


def found(theta):
    return RegressedPeople.of_poses(theta, np.zeros((len(theta), 10)))


def fitted(scene, *, refusal="outline", theta=None, keypoints=None, cutouts=None, moving=False):
    theta = guessed(scene, 0.05, 0.05) if theta is None else theta
    count = len(scene.track)
    headings = Headings(scene.yaw + np.pi, np.full(count, 0.1), np.full(count, moving))
    cutouts = cutouts_of(scene) if cutouts is None else cutouts
    people = found(theta)
    if keypoints is not None:
        people.keypoints[:], people.score[:] = keypoints
    support = np.stack([outline_of_mask(rle, CAMERA).support for rle in cutouts["mask_rle"].to_pylist()])
    given = Outlined("person", cutouts, outlined(scene, refusal), headings, support)
    return fit_people_rows(given, people, CAMERA, PLANE, BODY, load_prior(), SETTINGS).to_pylist()


@pytest.mark.parametrize("known", [False, True])
def test_a_body_that_fits_fills_the_row(scene, known):
    keypoints = (scene.keypoints, np.full((3, 17), 0.9)) if known else None
    rows = fitted(scene, keypoints=keypoints)
    for row, xy, place, points in zip(rows, scene.keypoints, scene.xy_m, scene.keypoints_3d, strict=True):
        assert row["refusal"] is None and row["fit_ok"] and row["body_model"] == BODY.name
        assert np.linalg.norm(PLANE.to_world(np.array(row["t"]))[:2] - place) < 0.3
        assert row["z_m"] == row["t"][2]
        assert np.linalg.norm(np.reshape(row["keypoints_2d"], (17, 2)) - xy, axis=1).mean() < 8
        assert np.linalg.norm(np.reshape(row["keypoints_3d"], (17, 3)) - points, axis=1).mean() < 0.3
        assert set(row["keypoint_state"]) == {"visible"} and len(row["keypoint_score"]) == 17
        assert len(row["smpl_theta"]) == 72 and len(row["smpl_beta"]) == 10 and len(row["smpl_transl"]) == 3
    assert rows[0]["smpl_beta"] == rows[1]["smpl_beta"] != rows[2]["smpl_beta"]
    if known:
        assert np.allclose(rows[0]["keypoint_score"], 0.9)


@pytest.mark.parametrize("refusal", ["no_ground", "too_far", "height"])
def test_what_no_body_can_mend_stays_refused(scene, refusal):
    for row in fitted(scene, refusal=refusal):
        assert row["refusal"] == refusal and all(row[name] is None for name in FILLED)


def test_a_frame_that_cannot_be_read_leaves_the_outline(scene):
    theta = guessed(scene, 0.05, 0.05)
    theta[1] = np.nan
    assert [row["refusal"] for row in fitted(scene, theta=theta)] == [None, "outline", None]


def test_a_body_that_is_not_where_the_mask_is_is_not_taken(scene):
    cutouts = cutouts_of(scene)
    moved = [[x + w, y, w, h] for x, y, w, h in cutouts["bbox_xywh"].to_pylist()]
    cutouts = cutouts.set_column(1, "bbox_xywh", pa.array(moved))
    assert {row["refusal"] for row in fitted(scene, cutouts=cutouts)} == {"outline"}


def test_only_motion_at_the_very_moment_turns_people(scene):
    """Headings here point backwards."""
    still, moving = fitted(scene), fitted(scene, moving=True)
    for rows, least, most in ((still, -1, 45), (moving, 90, 181)):
        for row, yaw in zip(rows, scene.yaw, strict=True):
            if row["refusal"] is None:
                turned = PLANE.yaw(np.reshape(row["R"], (3, 3))) - yaw
                assert least < np.degrees(abs((turned + np.pi) % (2 * np.pi) - np.pi)) < most


def test_nobody_is_no_work():
    nobody = place_by_outline(
        "person", CUTOUTS.empty_table(), TRACKS.empty_table(), CAMERA, PLANE, ReconstructSettings()
    )
    table = fit_people_rows(nobody, found(np.zeros((0, 24, 3))), CAMERA, PLANE, BODY, load_prior(), SETTINGS)
    assert table.equals(RECONSTRUCTED.empty_table())


class Marks(FramePredictor):
    """A network of the contract that answers with the brightness of the picture it is shown, and a pose network that
    does so too."""

    def __init__(self):
        super().__init__(find("hmr"))

    def predict_batch(self, frames):
        found = []
        for frame in frames:
            assert frame.camera is CAMERA and len(frame.objects) == 1
            grey, known = float(frame.image[0, 0, 0]), frame.objects
            told = known["facing_cam"][:, 0] if "facing_cam" in known.columns else np.array([np.nan])
            columns = {"smpl_theta": np.full((1, 72), grey), "smpl_beta": np.tile(told[:, None], (1, 10))}
            columns |= {"keypoints_2d": np.full((1, 17, 2), grey + 100), "keypoint_score": np.full((1, 17), 0.5)}
            found.append(known.with_columns(columns))
        return found

    def predict(self, images, boxes_xywh):
        grey = np.array([float(image[0, 0, 0]) for image in images])
        return np.tile(grey[:, None, None], (1, 17, 2)), np.ones((len(grey), 17))


def test_each_person_is_looked_at_in_its_own_frame(tmp_path):
    sources = [str(footage.write_jpeg(tmp_path / f"{i}.jpg", i).relative_to(tmp_path)) for i in (1, 9)]
    row = {name: None for name in FRAMES.names} | {"position": -1, "width": 64, "height": 48, "status": "ok"}
    frames = [row | {"frame_id": i, "source": name} for i, name in enumerate([*sources, "gone.jpg"])]
    frames[2]["status"] = "truncated"
    table = pa.Table.from_pylist(frames, schema=FRAMES)
    seen = pa.table({"frame_id": [1, 0, 2, 0], "bbox_xywh": [[1.0, 1, 5, 9]] * 4})
    facing = np.arange(12.0).reshape(4, 3)
    people = regress(seen, table, tmp_path, CAMERA, Marks(), facing, Marks())
    assert np.allclose(people.theta[:, 5, 1], [65, 25, np.nan, 25], atol=2, equal_nan=True)
    assert np.allclose(people.keypoints[:, 3, 1], [65, 25, np.nan, 25], atol=2, equal_nan=True)
    assert people.score[:, 0].tolist() == [1, 1, 0, 1]
    assert people.beta[:, 0].tolist()[:2] == [0, 3] and people.beta[3, 0] == 9
    alone = regress(seen, table, tmp_path, CAMERA, Marks())
    assert np.allclose(alone.keypoints[:, 3, 1], [165, 125, np.nan, 125], atol=2, equal_nan=True)
    assert alone.score[:, 0].tolist() == [0.5, 0.5, 0, 0.5] and np.isnan(alone.beta).all()
