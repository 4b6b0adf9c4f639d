"""A projected drive's crops as the benchmark measures graphs on them."""

import numpy as np
import pytest
import torch
from drives import drive_past, write_drive

from benchmarks.vehicles.occlusion_net import BASELINE
from benchmarks.vehicles.occlusion_views import Known, agreement, encoded_views
from models.occlusion_net.evaluate import load_network


def test_truth_and_lens_of_a_crop_are_in_its_boxs_frame(tmp_path):
    passing = drive_past()
    folder, views = write_drive(tmp_path, passing), passing.views()
    views = type(views)(**{**vars(views), "row": np.arange(10, 17)})
    known = Known(folder, passing.camera, views, passing.pixels, np.where(passing.visible, 0, 1), passing.R)
    found = encoded_views(known, load_network(BASELINE))
    seen = passing.basis.mean @ passing.R.transpose(0, 2, 1) + passing.t[:, None]
    h = torch.from_numpy(seen).float() @ found["K"].transpose(1, 2)
    torch.testing.assert_close(h[..., :2] / h[..., 2:], found["xy"], atol=1e-3, rtol=0)
    np.testing.assert_allclose(found["xy"].numpy(), views.xy, atol=1e-4)
    assert torch.equal(found["state"] == 0, torch.from_numpy(passing.visible))


def test_hidden_points_are_separated_from_seen_ones_by_how_unlikely_they_are_seen():
    state = np.array([["visible"] * 6 + ["self_occluded"] * 3 + ["occluded"] * 2 + ["truncated"]] * 2)
    true, side = np.zeros((2, 12, 2)), np.array([100.0, 50.0])
    found = true + [0.0, 7.0]  # a tenth of the first one's longer side, not of the second one's
    found[0, 11] = found[1, 8] = 0  # one beyond the border, one right
    visible = np.where(state == "visible", 0.9, 0.1)
    visible[:, 0], visible[:, 11] = 0.05, 0.99
    row = agreement({"graph": found}, visible, true, state, side)
    assert (row["graph_visible"], row["graph_hidden"]) == (6 / 12, 6 / 10)
    assert row["graph_auc"] == pytest.approx(10 / 12)  # one visible point in six is the least likely of all
    assert agreement({}, 1 - visible, true, state, side)["graph_auc"] == pytest.approx(2 / 12)
