"""Networks, and the metrics and geometry they share."""
