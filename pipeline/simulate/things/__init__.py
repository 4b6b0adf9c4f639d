"""Things of streets and rooms that stand still: cycles, seats, tables, shelters, lights, signs, bins, monitors.

Each is built from a seed with parts of its kind present or not, and knows where its named points are. Frame: origin on
the ground under its middle, x forward (where somebody who sits in it looks, where a sign or a screen is read from), y
left, z up, metres.
"""

from pipeline.simulate.things.kinds import KINDS, Thing, make_thing

__all__ = ["KINDS", "Thing", "make_thing"]
