"""Which detections show a whole, unoccluded object, and the cutouts made of them."""
