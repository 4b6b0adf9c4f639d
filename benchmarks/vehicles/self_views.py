"""Other views of cached crops as a user has them: cameras by PnP on detected keypoints, and mirror views.

No true position, pose or hidden keypoint is used. Given are K, which crops show one vehicle, and which keypoints
are seen: by the labels of visible keypoints that the heatmaps learn from too, or by an encoder's prediction.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from calibration.camera import edge_to_pixel
from models.geometry.boxes import from_box
from models.geometry.object_poses import views_of_crops
from models.geometry.view_sets import view_sets
from models.occlusion_net.data import OTHERS
from models.occlusion_net.lifting import vehicles_basis
from models.occlusion_net.stack import Cached

_HEIGHT_PX = 200.0  # of a box in imagined pixels; its frame has none


def with_detected_views(cached: Cached, seen: Tensor, *, mirrors: bool) -> dict[str, Tensor]:
    """The crops with the other views that they are for each other: `instance` says which show one vehicle.

    Positions are the heatmaps', of keypoints that `seen` (N, 12) bool has; those make the poses, too. Crops whose pose
    is not found have no views. Raises ValueError as `views_of_crops` and `view_sets` do.
    """
    aspect = cached["aspect"].double().numpy()
    box = np.stack([0 * aspect, 0 * aspect, _HEIGHT_PX * aspect, 0 * aspect + _HEIGHT_PX], axis=1)
    confidence = cached["confidence"].double().numpy()
    xy = edge_to_pixel(from_box(cached["heat_xy"].double().numpy(), box[:, None]))
    visible = seen.numpy()
    views = views_of_crops(
        cached["instance"].numpy(), xy, confidence * visible, visible, box, _pixel_K(cached, box), vehicles_basis()
    )
    sets = view_sets(views, 2 * OTHERS if mirrors else OTHERS, mirrors=mirrors)
    most = sets.other_xy.shape[1]
    shapes = {"cameras": (most + 1, 3, 4), "other_xy": (most, 12, 2), "other_visible": (most, 12)}
    result = dict(cached)
    for name, shape in shapes.items():
        values = getattr(sets, name)
        whole = np.zeros((len(xy), *shape), values.dtype)
        whole[views.row] = values
        result[name] = torch.from_numpy(whole if values.dtype == bool else whole.astype(np.float32))
    return result


def _pixel_K(cached: Cached, box: np.ndarray) -> np.ndarray:
    """(N, 3, 3) from the camera's frame to the imagined pixels, whose integers are centres."""
    to_pixel = np.zeros((len(box), 3, 3))
    to_pixel[:, [0, 1], [0, 1]] = box[:, 2:] / 2
    to_pixel[:, :2, 2] = edge_to_pixel(box[:, :2] + box[:, 2:] / 2)
    to_pixel[:, 2, 2] = 1
    return to_pixel @ cached["K"].double().numpy()
