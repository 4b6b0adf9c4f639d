"""What several formats need: scenes one at a time, JSON that grows on disk, outlines of masks, boxes in space."""
