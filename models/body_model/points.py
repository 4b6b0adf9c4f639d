"""The 29 points of a person that networks are taught: SMPL's 24 joints, then nose, left and right eye and ear."""

import numpy as np

from pipeline.core.skeletons import COCO_17, SMPL_24, SMPL_LIMBS

_FACE = COCO_17.names[: len(COCO_17) - len(SMPL_LIMBS)]
POINTS = len(SMPL_24) + len(_FACE)
# Shoulders, elbows, wrists, hips, knees, ankles among SMPL's joints, in COCO's order.
LIMBS = list(SMPL_LIMBS)
COCO = [*range(len(SMPL_24), POINTS), *LIMBS]
# The points with left and right exchanged.
FLIP_ORDER = np.array([*SMPL_24.flip, *(len(SMPL_24) + COCO_17.flip[k] for k in range(len(_FACE)))])
