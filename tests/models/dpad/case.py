"""Drawn kites and masts."""

import json

import numpy as np
import torch
from contract_cases import Case
from drawn_kites import TABLE, bodies, frame, write_splits

from models.contract import Given
from models.dpad import DpadSettings

SETTINGS = DpadSettings(
    classes=json.dumps(TABLE.to_plain()), base_channels=8, groups=4, levels=4, channels=16, side_px=128
)


def scores(predictor):
    """What the weights say of a picture, for a network that learned nothing finds nothing."""
    with torch.inference_mode():
        dense = predictor.network(predictor.network.encode([frame(0, overlap=False)]))
    return np.concatenate([level.numpy().reshape(-1) for level in dense.scores])


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    return Case(
        SETTINGS,
        Given(data=write_splits(tmp_path_factory.mktemp("dpad"))),
        [frame(0, overlap=False), frame(1, overlap=True)],
        identities=bodies,
        shows=scores,
        batch=4,
        steps=40,
        lr=4e-3,
        overfit=0.6,
    )
