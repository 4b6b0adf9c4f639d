"""Index a camera's frames: when each was taken, where it is stored, what its picture shows at a glance.

The result is the FRAMES table in time order. `videos` and `images` find the frames, `clock` makes their times, `look`
tells which pictures say nothing, `found` makes the table.
"""

from pipeline.ingest.found import FoundFrame, IngestSettings, in_words, index_table, moved, within
from pipeline.ingest.images import find_images
from pipeline.ingest.videos import find_in_video, find_in_videos

__all__ = [
    "FoundFrame",
    "IngestSettings",
    "find_images",
    "find_in_video",
    "find_in_videos",
    "in_words",
    "index_table",
    "moved",
    "within",
]
