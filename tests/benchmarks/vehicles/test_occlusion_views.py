"""A drawn drive's crops as the benchmark judges graphs on them."""

import numpy as np
import torch

from benchmarks.vehicles.occlusion_net import BASELINE
from benchmarks.vehicles.occlusion_views import Known, judged
from models.occlusion_net.evaluate import load_network
from tests.models.occlusion_net.conftest import folder, passing  # noqa: F401


def test_truth_and_lens_of_a_crop_are_in_its_boxs_frame(folder, passing):  # noqa: F811
    views = passing.views()
    views = type(views)(**{**vars(views), "row": np.arange(10, 17)})
    known = Known(folder, passing.camera, views, passing.pixels, np.where(passing.visible, 0, 1), passing.R)
    found = judged(known, load_network(BASELINE))
    seen = passing.basis.mean @ passing.R.transpose(0, 2, 1) + passing.t[:, None]
    h = torch.from_numpy(seen).float() @ found["K"].transpose(1, 2)
    torch.testing.assert_close(h[..., :2] / h[..., 2:], found["xy"], atol=1e-3, rtol=0)
    np.testing.assert_allclose(found["xy"].numpy(), views.xy, atol=1e-4)
    assert torch.equal(found["state"] == 0, torch.from_numpy(passing.visible))
