"""Tasks that find a camera's calibration, and show what one claims."""
