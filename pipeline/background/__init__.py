"""The picture of the street by time bucket, and which frames it is of: `median` makes it, `unlike_frames` compares."""

from pipeline.background.median import (
    BackgroundJob,
    BackgroundSettings,
    background_shard,
    compared_background,
    median,
    median_background,
)
from pipeline.background.unlike_frames import left_out_in_words, with_statuses

__all__ = [
    "BackgroundJob",
    "BackgroundSettings",
    "background_shard",
    "compared_background",
    "left_out_in_words",
    "median",
    "median_background",
    "with_statuses",
]
