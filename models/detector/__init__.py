"""An instance segmenter of mmdet, trained on a camera's own clip-art or on frames with COCO labels.

`make train CAMERA=cam07` trains one; the detector `mmdet` then finds the camera's people and vehicles with it.
"""
