"""The 29 points of a person that the network is taught: SMPL's 24 joints, then nose, left and right eye and ear."""

import numpy as np

POINTS = 29
# Shoulders, elbows, wrists, hips, knees, ankles among SMPL's joints, in COCO's order.
LIMBS = [16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]
COCO = [24, 25, 26, 27, 28, *LIMBS]
# The points with left and right exchanged.
FLIP_ORDER = np.array(
    [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22, 24, 26, 25, 28, 27]
)
