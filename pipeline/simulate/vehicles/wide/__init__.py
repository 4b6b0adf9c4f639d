"""The wide fleet: vehicles of every class, of published dimensions, in many shapes and looks."""
