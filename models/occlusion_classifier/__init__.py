"""Tell whether a detection shows a whole object: a small network that sees a crop and the detection's mask."""
