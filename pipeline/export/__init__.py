"""Composed shards as other programs want them: one module a format, which `registry` finds."""
