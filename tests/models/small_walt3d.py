"""The WALT3D network as small as it works at all."""

from models.scenes import WindowSettings
from models.walt3d import RegionSettings, SwinSettings, Walt3dSettings

SMALL = Walt3dSettings(
    backbone=SwinSettings(dim=16, depths=(1, 1, 1, 1), heads=(1, 2, 4, 8), mlp_ratio=2),
    channels=32, hidden=64, inside=32, convolutions=2,
    regions=RegionSettings(scales=(4.0,), before=100, train=50, test=50, rpn_batch=64, batch=32, inside=8),
    window=WindowSettings(side_px=96, illumination=0.1, noise=1.0),
)  # fmt: skip
