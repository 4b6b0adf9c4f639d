"""What every stage speaks: tables, masks, boxes, frames, files on disk, the ground and its illumination."""
