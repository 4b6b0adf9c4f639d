"""Other programs' labels as the two tables of a shard: one module a format, which `registry` finds."""
