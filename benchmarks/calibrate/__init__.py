"""How well calibrations are found, and whether wrong ones are told."""
