"""Scenes composed of cutouts in true depth order, and the shards they are written to."""
