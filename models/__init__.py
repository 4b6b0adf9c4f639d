"""The networks that learn from the shards; the main job needs none, and none is here yet."""
