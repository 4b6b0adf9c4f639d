import subprocess
import sys

import numpy as np
import pytest
import torch
from chance import examples
from composed_streets import CAMERA, PLANE, SIZE_HW, composed
from hypothesis import given
from hypothesis import strategies as st
from mmengine.structures import InstanceData
from small_walt3d import SMALL

from models.body_model import load_body
from models.frames import Frame, frame_of
from models.geometry import log_so3
from models.layers.regions import grown, sample_rasters
from models.scenes.objects import CLASSES
from models.walt3d.heads import POINTS
from models.walt3d.network import Walt3d
from models.walt3d.predict import objects_of, standing
from pipeline.core import masks
from pipeline.core.instances import Instances

CELLS = 28


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Walt3d(SMALL).eval()


def heads_found(rows, scores):
    """What heads would find that see all of a composed street's objects as they are."""
    boxes = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in (row["bbox_amodal_xywh"] for row in rows)])
    regions, maps = grown(boxes, 1.2), []
    for row, box, region in zip(rows, boxes, regions, strict=True):
        left, top, right, bottom = (int(v) for v in box)
        pair = [masks.full(row[f"mask_{n}_rle"], SIZE_HW)[top:bottom, left:right] for n in ("amodal", "visible")]
        raster = torch.nn.functional.interpolate(torch.tensor(np.array(pair))[None].float(), (224, 224))
        maps.append(sample_rasters(raster, box[None], region[None], CELLS)[0])
    labels = torch.tensor([CLASSES.index(row["category"]) for row in rows])
    count = len(rows)
    return InstanceData(
        labels=labels, scores=torch.tensor(scores), bboxes=boxes, visible=boxes, regions=regions,
        masks=20 * (torch.stack(maps) - 0.5), heat=torch.zeros(count, POINTS, CELLS, CELLS),
        states=torch.zeros(count, POINTS, 4), features=torch.zeros(count, SMALL.hidden),
    )  # fmt: skip


@examples(15)
@given(seed=st.integers(0, 3000))
def test_what_heads_see_comes_out_as_the_masks_it_is(network, seed):
    image, rows = composed(seed)
    rows = [row for row in rows if row["visible_fraction"] > 0.3]
    found = objects_of(network, heads_found(rows, [0.9, 0.8, 0.7][: len(rows)]), frame_of(image))
    assert found["category"] == [row["category"] for row in rows]
    for k, row in enumerate(rows):
        for name in ("amodal", "visible"):
            assert masks.iou([found[f"mask_{name}_rle"][k]], [row[f"mask_{name}_rle"]], SIZE_HW)[0, 0] > 0.75
        assert np.allclose(found["bbox_amodal_xywh"][k], row["bbox_amodal_xywh"], atol=1e-3)
        assert found["visible_fraction"][k] == pytest.approx(row["visible_fraction"], abs=0.15)
    found.plain()


def test_a_duplicate_goes_and_the_hidden_stays(network):
    """The near car twice, and one of the same outline behind it that shows a third."""
    _, rows = composed(3, cars=1, people=0)
    whole = masks.full(rows[0]["mask_amodal_rle"], SIZE_HW)
    strip = whole.copy()
    strip[np.flatnonzero(whole.any(axis=1))[0] + int(whole.any(axis=1).sum() / 3) :] = False
    hidden = rows[0] | {"mask_visible_rle": masks.encode(strip, (0, 0), SIZE_HW)}
    found = objects_of(
        network, heads_found([rows[0], rows[0], hidden], [0.9, 0.8, 0.3]), frame_of(np.zeros((*SIZE_HW, 3), np.uint8))
    )
    assert np.allclose(found["score"], [0.9, 0.3])


def test_nothing_is_found_in_nothing(network):
    none = heads_found([composed(1)[1][0]], [0.9])[:0]
    found = objects_of(network, none, frame_of(np.zeros((*SIZE_HW, 3), np.uint8)))
    assert len(found) == 0 and "R" in found.columns


def test_poses_are_found_where_the_camera_is_known_alone(network):
    image, rows = composed(1)
    seen = heads_found(rows, [0.9, 0.8, 0.7])
    unknown = objects_of(network, seen, frame_of(image))
    known = objects_of(network, seen, Frame(image, Instances(SIZE_HW, {}), camera=CAMERA, plane=PLANE))
    vehicle = np.array([row["category"] == "vehicle" for row in rows])
    assert np.isnan(unknown["R"]).all() and np.isfinite(unknown["shape"][vehicle]).all()
    assert np.isnan(known["R"][~vehicle]).all() and known["R"].shape == (3, 3, 3)


@examples(10)
@given(x=st.floats(-3, 3), y=st.floats(10, 25), yaw=st.floats(-3, 3))
def test_a_body_stands_where_its_box_ends(x, y, yaw):
    """Upright, arms out: put down somewhere, its box gives that place back, to a hand, and its feet on the ground."""
    R_world = np.array([[-np.sin(yaw), 0, np.cos(yaw)], [np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0]])
    theta = torch.zeros(1, 24, 3)
    theta[0, 0] = log_so3(torch.from_numpy(PLANE.R_cam_world @ R_world)).float()
    beta, ground = torch.zeros(1, 10), PLANE.to_camera(np.array([x, y, 0.0]))
    body = load_body()(theta, beta)
    there = body.vertices[0].numpy() - body.joints[0, 0].numpy()
    placed = there + ground - (there @ PLANE.n).min() * PLANE.n
    pixels = CAMERA.project(placed) + 0.5
    box = np.array([[*pixels.min(axis=0), *np.ptp(pixels, axis=0)]])
    transl = standing(theta.flatten(1), beta, box, CAMERA, PLANE)
    moved = body.vertices[0].numpy() + transl[0]
    assert (moved @ PLANE.n).min() == pytest.approx(-PLANE.d, abs=1e-5)
    assert np.abs(moved - placed).max() < 0.35


def test_without_mmdet_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("models.mm.find_spec", lambda which: None)
    with pytest.raises(ValueError, match=r"mmdet is not installed; run `make setup-mm`"):
        Walt3d(SMALL)
    code = "import sys, models.walt3d.network; sys.exit('mmdet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
