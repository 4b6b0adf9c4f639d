"""A network of kites and masts small enough to train within a test."""

import json

from drawn_kites import TABLE

from models.klpnet import CklmSettings, GraphSettings, KlpNetSettings

SMALL = KlpNetSettings(
    classes=json.dumps(TABLE.to_plain()),
    cklm=CklmSettings(input_px=64, widths=(12, 16, 16, 16), kernels=(5, 3)),
    graph=GraphSettings(hidden=24, latent=12, layers=2, nodes=12),
)
