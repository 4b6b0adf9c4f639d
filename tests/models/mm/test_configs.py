"""Configs by path and by the zoo's names, and what of them is never done: downloading weights to start from."""

import subprocess
import sys

import pytest

from models.mm import package_folder
from models.mm.configs import build_network, is_zoo_name, published_url, read_config, resolve_config


def test_a_name_is_a_file_of_the_installed_zoo():
    path = resolve_config("mask-rcnn_swin-t-p4-w7_fpn_1x_coco")
    assert path.is_relative_to(package_folder("mmdet")) and path.name == "mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py"
    assert resolve_config("rtmpose-m_8xb256-420e_body8-256x192", "mmpose").is_relative_to(package_folder("mmpose"))
    assert is_zoo_name(path.stem) and not is_zoo_name(str(path)) and not is_zoo_name("a.py") and not is_zoo_name("")


def test_a_path_is_itself(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("model = dict(type='RTMDet')")
    assert resolve_config(str(path)) == path


def test_what_is_alike_is_told():
    with pytest.raises(
        ValueError, match=r"'rtmdet-ins_tiny_coco': no config .* alike are .*rtmdet-ins_tiny_8xb32-300e_coco"
    ):
        resolve_config("rtmdet-ins_tiny_coco")
    with pytest.raises(ValueError, match=r"mmpose config '': no such file; give a \.py or a name"):
        resolve_config("", "mmpose")


@pytest.mark.parametrize(
    ("name", "which", "file"),
    [
        ("rtmdet-ins_tiny_8xb32-300e_coco", "mmdet", "rtmdet-ins_tiny_8xb32-300e_coco_20221130_151727-ec670f7e.pth"),
        (
            "mask-rcnn_swin-t-p4-w7_fpn_1x_coco", "mmdet",
            "mask_rcnn_swin-t-p4-w7_fpn_1x_coco_20210902_120937-9d6b7cfa.pth",
        ),
        (
            "rtmpose-m_8xb256-420e_body8-256x192", "mmpose",
            "rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.pth",
        ),
    ],
)  # fmt: skip
def test_where_weights_are_published(name, which, file):
    url = published_url(name, which)
    assert url.startswith("https://") and url.endswith(f"/{file}")


def test_a_config_without_published_weights_is_told():
    with pytest.raises(ValueError, match=r"'rtmdet_tta': the model zoo publishes no weights of it"):
        published_url("rtmdet_tta")


def test_nothing_is_downloaded_to_start_from():
    config = read_config(resolve_config("mask-rcnn_swin-t-p4-w7_fpn_1x_coco"))
    assert config.model.backbone.init_cfg is None and config.load_from is None
    assert "http" not in str(config.model)
    build_network(config).init_weights()  # would download, or fail where there is no net


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = dict(", r"bad\.py: not a config that mmengine reads \(SyntaxError"),
        ("x = 1", r"bad\.py: expected a config with `model = dict"),
        ("_base_ = 'nowhere.py'", r"bad\.py: not a config that mmengine reads"),
    ],
)
def test_what_is_no_config_is_told(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        read_config(path)
    assert "\n" not in str(raised.value)


def test_a_model_that_is_not_known_is_told(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text("model = dict(type='NoSuchDetector')")
    with pytest.raises(ValueError, match=r"odd\.py: mmdet cannot build this model \(.*NoSuchDetector"):
        build_network(read_config(path))


def test_building_says_nothing():
    code = (
        "from models.mm.configs import *; build_network(read_config(resolve_config('rtmdet-ins_tiny_8xb32-300e_coco')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_tasks_do_without_the_packages():
    code = "import sys, tasks; print({'mmdet', 'mmpose', 'mmcv', 'mmengine', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
