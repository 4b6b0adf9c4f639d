"""Networks of mmpose as the base: the zoo's Simple Baseline by its name, and small ones written on the spot."""

from dataclasses import replace

import dots
import pytest
import torch

from models.opec_net import PRESETS, BaseSettings
from models.opec_net.base import MmposeBase, base_of
from models.opec_net.network import OpecNet

DECONVOLUTIONS = "head.deconv_layers.2", "head.deconv_layers.5", "head.deconv_layers.8"
# Of which three deconvolutions bring a sixteenth of the crop to half of it; what is seen at each is named.
_CONFIG = """
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(type="PoseDataPreprocessor", mean=[127.5] * 3, std=[63.75] * 3, bgr_to_rgb=True),
    backbone=dict(type="ResNet", depth=18, stem_channels=8, base_channels=4, init_cfg=None),
    head=dict(type="HeatmapHead", in_channels=32, out_channels={joints}, deconv_out_channels=(16, 12, 8),
              deconv_kernel_sizes=(4, 4, 4), loss=dict(type="KeypointMSELoss", use_target_weight=True),
              decoder=dict(type="MSRAHeatmap", input_size=(96, 96), heatmap_size=(24, 24), sigma=2)),
)
default_scope = "mmpose"
"""


@pytest.fixture
def config(tmp_path):
    """Writes a small config of so many joints."""

    def write(joints=12, name="small.py"):
        (path := tmp_path / name).write_text(_CONFIG.format(joints=joints))
        return str(path)

    return write


def settings_of(small, **base):
    return replace(small, base=BaseSettings(**{"deconvolutions": (16, 12, 8), "features": DECONVOLUTIONS, **base}))


def test_named_modules_of_a_network_are_the_maps_and_its_own_last_layer_stays(config, small):
    torch.manual_seed(0)
    base = MmposeBase(settings_of(small, config=config()).base, 12).eval()
    image = torch.rand(2, 3, 96, 96)
    seen = base(image)
    assert [tuple(one.shape[1:]) for one in seen.maps] == [(16, 6, 6), (12, 12, 12), (8, 24, 24)]
    assert torch.equal(seen.heat, base.network.head.final_layer(seen.maps[2]))
    # As mmpose itself prepares pictures, here of 0 to 255 with mean 127.5.
    whole = base.network._forward((255 * image - 127.5) / 63.75)
    torch.testing.assert_close(seen.heat, whole, atol=1e-5, rtol=1e-4)


def test_weights_of_a_network_are_its_own_and_joints_are_ours(config, small, tmp_path):
    _, checkpoint = dots.with_random_weights(config(17), tmp_path)
    base = MmposeBase(settings_of(small, config=config(17), checkpoint=str(checkpoint)).base, 12)
    stored = torch.load(checkpoint)["state_dict"]
    assert base.network.head.final_layer.weight.shape[0] == 12
    for name in ("backbone.conv1.weight", "head.deconv_layers.6.weight"):
        assert torch.equal(base.network.state_dict()[name], stored[name])


def test_a_correction_stands_behind_it_and_reaches_it(config, small, batch):
    torch.manual_seed(0)
    network = OpecNet(settings_of(small, config=config())).train()
    parts = network.loss(network(batch), batch)
    parts["pose_3"].backward()
    assert parts["total"].isfinite() and network.base.network.backbone.conv1.weight.grad.abs().sum() > 0


def test_other_modules_may_be_named(config, small, batch):
    """Stages of the backbone in place of deconvolutions, which are as many pixels in another order."""
    stages = "backbone.layer4", "backbone.layer3", "backbone.layer2"
    network = OpecNet(settings_of(small, config=config(), features=stages, deconvolutions=(32, 16, 8))).eval()
    with torch.inference_mode():
        assert [one.shape[1] for one in network.base(torch.rand(1, 3, 96, 96)).maps] == [32, 16, 8]


def test_the_preset_of_a_gpu_is_the_zoos_simple_baseline():
    with torch.device("meta"):
        base = base_of(PRESETS["base"].network)
    assert base.features == DECONVOLUTIONS and base.maps == (256, 256, 256)
    assert tuple(base.network.head.final_layer.weight.shape) == (12, 256, 1, 1)


def test_what_cannot_stand_in_is_one_line(config, small):
    def built(**base):
        return OpecNet(settings_of(small, config=config(), **base))

    gone = "head.deconv_layers.2", "head.deconv_layers.5", "neck.7"
    with pytest.raises(
        ValueError, match=r"small\.py: features: no module neck\.7; of its head there are head\.deconv"
    ) as e:
        built(features=gone)
    assert "\n" not in str(e.value)
    with pytest.raises(
        ValueError, match=r"deconvolutions: expected \(16, 12, 9\) channels of the features, got \(16, 12"
    ):
        built(deconvolutions=(16, 12, 9)).base(torch.rand(1, 3, 96, 96))
    simcc = replace(small, base=BaseSettings(config="rtmpose-t_8xb256-420e_coco-256x192"))
    with pytest.raises(ValueError, match=r"expected a TopdownPoseEstimator with a HeatmapHead, got .* with RTMCCHead"):
        OpecNet(simcc)
    with pytest.raises(ValueError, match=r"mmpose config 'gone\.py': no such file"):
        OpecNet(replace(small, base=BaseSettings(config="gone.py")))
