import numpy as np
import pytest
import torch

from models.checkpoints import write_weights
from models.crops import MAP_CELLS, squares_of, to_cells
from models.frames import Frame
from models.headers import check_header
from models.predictor import Predictor
from models.topdown.keypoints import Keypoints, PredictedKeypoints, load_keypoints
from models.vehicle_keypoints import SPEC, KeypointSettings
from models.vehicle_keypoints.network import KeypointNetwork, Maps
from pipeline.core.instances import Instances
from pipeline.core.tables import KEYPOINT_STATES

BOXES = np.array([[100.0, 50, 60, 40], [300.5, 200.25, 33, 90], [-20, -10, 80, 60], [600, 400, 200, 80]])


def gaussian_logits(cells):
    axis = torch.arange(MAP_CELLS, dtype=torch.float32)
    along = -((torch.as_tensor(cells, dtype=torch.float32)[..., None] - axis) ** 2) / 2
    return along[..., 1, :, None] + along[..., 0, None, :]


class Prepared(KeypointNetwork):
    """Answers with prepared heatmaps."""

    def __init__(self, maps):
        super().__init__(KeypointSettings(width=8))
        self.maps = maps

    def forward(self, batch):
        return Maps(self.maps[: len(batch["image"])], torch.zeros(len(batch["image"]), 12, 4))


def behind_protocol(network):
    return PredictedKeypoints(Predictor(SPEC, network))


def test_a_map_around_a_point_gives_that_point_of_the_image(rng):
    squares = squares_of(BOXES)
    xy = BOXES[:, None, :2] + rng.uniform(-0.05, 1.05, (4, 12, 2)) * BOXES[:, None, 2:] - 0.5
    found = behind_protocol(Prepared(gaussian_logits(to_cells(xy, squares)))).predict(
        [np.zeros((720, 1280, 3), np.uint8)] * 4, BOXES
    )
    side = BOXES[:, None, 2:].max(axis=2)
    assert (np.linalg.norm(found.xy - xy, axis=2) < 1e-3 * side).all()
    assert (found.score > 0.9).all() and (found.sigma_px < 0.02 * side).all()


def test_twice_the_box_is_twice_the_error(rng):
    heat, state = gaussian_logits(rng.uniform(8, 30, (1, 12, 2))), torch.zeros(1, 12, 4)
    state[0, 3, 2] = 9
    network, image = KeypointNetwork(KeypointSettings(width=8)), np.zeros((300, 400, 3), np.uint8)
    boxes = (np.array([[10.0, 20, 80, 60]]), np.array([[20.0, 40, 160, 120]]))
    frames = [Frame(image, Instances((300, 400), {"bbox_xywh": box})) for box in boxes]
    once, twice = (network.decode(Maps(heat, state), [frame])[0] for frame in frames)
    assert twice["keypoints_2d"] + 0.5 == pytest.approx(2 * (once["keypoints_2d"] + 0.5))
    assert twice["keypoint_sigma_px"] == pytest.approx(2 * once["keypoint_sigma_px"])
    assert twice["keypoint_score"] == pytest.approx(once["keypoint_score"])
    assert once["keypoint_state"][0][3] == KEYPOINT_STATES[2] and once["keypoint_state"][0][4] == KEYPOINT_STATES[0]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return behind_protocol(KeypointNetwork(KeypointSettings(width=8, blocks=1)))


def test_the_order_of_boxes_does_not_matter(network, rng):
    image = rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)
    boxes = np.column_stack([rng.uniform(0, 250, (40, 2)), rng.uniform(30, 120, (40, 2))])
    order = rng.permutation(40)
    said = []
    found = network.predict([image] * 40, boxes, progress=lambda done, of: said.append((done, of)))
    turned = network.predict([image] * 40, boxes[order])
    assert found.xy[order] == pytest.approx(turned.xy, abs=1e-2)
    assert (found.state[order] == turned.state).all()
    assert said == [(32, 40), (40, 40)]


def test_a_crop_with_an_offset_gives_the_frames_answer_moved(network, rng):
    frame = rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)
    box = np.array([[120.0, 90, 70, 50]])
    whole = network.predict([frame], box)
    part = network.predict([frame[40:250, 60:350]], box - [60, 40, 0, 0])
    assert part.xy + [60, 40] == pytest.approx(whole.xy, abs=1e-2)


def test_no_boxes_give_no_keypoints(network):
    found = network.predict([], np.zeros((0, 4)))
    assert found.xy.shape == (0, 12, 2) and found.state.shape == (0, 12)


def test_bad_input_is_told_in_one_line(network, tmp_path):
    frame = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(ValueError, match="expected one image for each of 2 boxes, got 1"):
        network.predict([frame], BOXES[:2])
    with pytest.raises(ValueError, match=r"frame 1: expected \(H, W, 3\) uint8 BGR, got \(50, 50\)"):
        network.predict([frame, frame[..., 0]], BOXES[:2])
    with pytest.raises(ValueError, match=r"keypoints score: expected \(2, 12\), got \(2, 11\)"):
        Keypoints(np.zeros((2, 12, 2)), np.zeros((2, 11)), np.zeros((2, 12)), np.zeros((2, 12)))
    path = tmp_path / "weights.safetensors"
    small = KeypointSettings(width=8)
    write_weights(path, KeypointNetwork(small), SPEC.config(KeypointSettings(width=16)))
    with pytest.raises(ValueError, match="weights of another architecture"):
        load_keypoints(path)


def test_the_shipped_network_finds_visible_points_of_vehicles_it_never_saw(tmp_path):
    """Of the fleet that it was trained on, three vehicles of other seeds."""
    from models.synthetic.plans import CropSettings, plan_crops
    from models.synthetic.vehicle_shards import read_library, render_vehicles
    from models.vehicle_keypoints.evaluate import score, score_lines

    assert SPEC.shipped.stat().st_size <= 10e6
    settings = CropSettings(vehicles=1, views=3, val_vehicles=3, per_shard=6, fleet="plain")
    for job in plan_crops(settings, tmp_path):
        if job.split == "val":
            render_vehicles(job)
    scored = score(load_keypoints(device="cpu"), read_library(tmp_path / "val"), 60, seed=5)
    visible = (scored.state == 0) & (scored.size_px > 50)[:, None]
    assert scored.pck(visible) > 0.85
    assert any("all sizes" in line for line in score_lines(scored))


def test_a_weights_file_is_known_before_it_is_loaded(tmp_path):
    check_header(SPEC.shipped, SPEC.name)
    text = tmp_path / "notes.safetensors"
    text.write_text("not weights")
    write_weights(tmp_path / "other.safetensors", torch.nn.Linear(2, 2), {"model": "other"})
    lines = {
        tmp_path / "none": "no such weights file; `make train MODEL=vehicle_keypoints` writes one",
        tmp_path: "no such weights file",
        text: "not a safetensors file",
        tmp_path / "other.safetensors": "expected weights of",
    }
    for path, line in lines.items():
        with pytest.raises(ValueError, match=line):
            check_header(path, SPEC.name)
