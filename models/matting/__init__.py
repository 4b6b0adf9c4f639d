"""Make a rough mask exact: a small network that sees a crop, the empty street behind it, and the rough mask."""
