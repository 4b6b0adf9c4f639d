"""Trackers that predict every box with a Kalman filter: SORT, ByteTrack and BoT-SORT of roboflow's `trackers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.tracking.registry import Tracker

if TYPE_CHECKING:
    from pipeline.tracking.track import TrackingSettings


def _common(settings: TrackingSettings, frame_rate: float) -> dict[str, Any]:
    from trackers.utils.iou import BIoU

    return {
        "lost_track_buffer": round(settings.lost_s * 30),  # counted in frames of 1/30 s
        "frame_rate": frame_rate,
        "track_activation_threshold": settings.new_score,
        "minimum_consecutive_frames": 2,
        "iou": BIoU(settings.reach),
    }


def _sort(settings: TrackingSettings, frame_rate: float) -> Any:
    from trackers import SORTTracker

    return SORTTracker(**_common(settings, frame_rate), minimum_iou_threshold=settings.min_iou)


def _bytetrack(settings: TrackingSettings, frame_rate: float) -> Any:
    from trackers import ByteTrackTracker

    return ByteTrackTracker(
        **_common(settings, frame_rate),
        minimum_iou_threshold=settings.min_iou,
        high_conf_det_threshold=settings.confident_score,
    )


def _botsort(settings: TrackingSettings, frame_rate: float) -> Any:
    from trackers import BoTSORTTracker

    return BoTSORTTracker(
        **_common(settings, frame_rate),
        minimum_iou_threshold_first_assoc=settings.min_iou,
        enable_cmc=False,  # the camera stands
        high_conf_det_threshold=settings.confident_score,
    )


TRACKER = (Tracker("bytetrack", _bytetrack), Tracker("sort", _sort), Tracker("botsort", _botsort))
