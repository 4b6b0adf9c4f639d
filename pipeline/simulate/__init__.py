"""A time-lapse camera that needs no download: an intersection with exact truth beside every frame."""
