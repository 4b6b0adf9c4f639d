"""Top-down configs and checkpoints made on the spot: the zoo's with random weights, a small one that learnt dots."""

from pathlib import Path

import cv2
import numpy as np
import torch

from models.mm.configs import build_network, read_config, resolve_config

INPUT = 64  # the small network's, px
COLOURS = ((0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 255, 255))  # BGR, of each point
_CONFIG = """
default_scope = "mmpose"
codec = dict(type="{codec}", input_size=(64, 64), heatmap_size=(32, 32), sigma=1.5)
points = {points}
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(type="PoseDataPreprocessor", mean=[127.0] * 3, std=[60.0] * 3, bgr_to_rgb=True),
    backbone=dict(type="ResNet", depth=18, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,),
                  stem_channels=16, base_channels=16),
    head=dict(type="HeatmapHead", in_channels=16, out_channels=points, deconv_out_channels=(24,),
              deconv_kernel_sizes=(4,), loss=dict(type="KeypointMSELoss", use_target_weight=True), decoder=codec),
    test_cfg=dict(flip_test={flip}, flip_mode="heatmap", shift_heatmap={shift}),
)
info = dict(
    dataset_name="dots", paper_info=dict(), skeleton_info=dict(), joint_weights=[1.0] * points, sigmas=[0.05] * points,
    keypoint_info={{k: dict(name=f"p{{k}}", id=k, color=[0, 0, 0], type="upper", swap="") for k in range(points)}},
)
crop = [dict(type="GetBBoxCenterScale"), dict(type="TopdownAffine", input_size=(64, 64), use_udp={udp})]
train = [*crop, dict(type="GenerateTarget", encoder=codec), dict(type="PackPoseInputs")]
test_dataloader = dict(dataset=dict(type="CocoDataset", metainfo=info, pipeline=[
    dict(type="LoadImage"), *crop, dict(type="PackPoseInputs")]))
"""


def write_config(folder: Path, points: int, codec: str = "MSRAHeatmap", flip: bool = True) -> Path:
    """A small heatmap network of so many points."""
    udp = codec == "UDPHeatmap"
    path = folder / f"dots_{points}_{codec.lower()}.py"
    path.write_text(_CONFIG.format(codec=codec, points=points, udp=udp, flip=flip, shift=flip and not udp))
    return path


def with_random_weights(config: str | Path, folder: Path) -> tuple[Path, Path]:
    """A config, by path or name in the zoo, and a checkpoint of it as mmengine writes them."""
    path = resolve_config(str(config), "mmpose")
    torch.manual_seed(0)
    network = build_network(read_config(path), "mmpose")
    network.init_weights()
    return path, save(network, folder / f"{path.stem}.pth")


def save(network, path: Path) -> Path:
    torch.save({"meta": {"epoch": 1}, "state_dict": network.state_dict()}, path)
    return path


def scene(rng: np.random.Generator, size_hw=(120, 160), reach=0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy picture, a box xywh in it, and where in the box each dot is (4, 2), its centre to a 16th of a pixel.

    reach: how far the box's left and top may lie outside, px; the dots are inside the picture.
    """
    image = rng.integers(90, 160, (*size_hw, 3)).astype(np.uint8)
    w, h = rng.uniform(38, 60, 2)
    corner = rng.uniform(-reach, (size_hw[1] - w, size_hw[0] - h)) if not reach else rng.uniform(-reach, -reach / 2, 2)
    cells = rng.permutation(9)[:4]  # of a 3 x 3 grid: dots never overlap
    place = (np.stack([cells % 3, cells // 3], axis=1) + rng.uniform(0.35, 0.65, (4, 2))) / 3
    xy = np.maximum(corner + place * (w, h), 4.0)
    for colour, point in zip(COLOURS, xy, strict=True):
        cv2.circle(image, np.round(point * 16).astype(int).tolist(), 40, colour, -1, cv2.LINE_AA, 4)
    return image, np.array([*corner, w, h]), xy


def learn_dots(config: Path, checkpoint: Path, steps: int = 150) -> Path:
    """Train the small network on scenes for seconds, by mmpose's own targets and loss."""
    from mmengine.dataset import Compose, pseudo_collate
    from mmengine.registry import DefaultScope

    torch.manual_seed(0)
    settings, rng = read_config(config), np.random.default_rng(0)
    network = build_network(settings, "mmpose")
    network.init_weights()
    with DefaultScope.overwrite_default_scope("mmpose"):
        pipeline = Compose(settings.train)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, steps)
    network.train()
    for _ in range(steps):
        data = network.data_preprocessor(pseudo_collate([pipeline(_sample(rng)) for _ in range(16)]), True)
        loss = network(**data, mode="loss")["loss_kpt"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return save(network, checkpoint)


def _sample(rng: np.random.Generator) -> dict:
    image, box, xy = scene(rng, reach=float(rng.choice([0.0, 14.0])))
    corners = np.array([[*box[:2], *(box[:2] + box[2:])]], np.float32)
    return {
        "img": image, "bbox": corners, "bbox_score": np.ones(1, np.float32), "keypoints": xy[None].astype(np.float32),
        "keypoints_visible": np.ones((1, 4), np.float32), "flip_indices": [0, 1, 2, 3],
    }  # fmt: skip
