"""The street of boxes, and the job that goes through it."""

from benchmarks.common.box_street import CALIBRATION, CAMERA, PLANE, SIZE_HW, write_street

__all__ = ["CALIBRATION", "CAMERA", "JOB", "PLANE", "SIZE_HW", "TEN", "write_street"]

# Few things pass in so short a time.
JOB = ("GenerateClipArt", "--camera", "street", "--ComposeShards-objects-min", "2")
TEN = ("--scenes", "10", "--scenes-per-shard", "4")
