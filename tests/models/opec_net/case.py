"""Stick figures in couples: a picture of one couple, and one of two who stand far apart."""

import sys
from pathlib import Path

import numpy as np
from contract_cases import Case

from models.contract import Given
from models.opec_net import BaseSettings, GraphSettings, OpecNetSettings

sys.path.insert(0, str(Path(__file__).parent))
from stick_couples import couple, write_couples

SMALL = OpecNetSettings(
    height_px=96,
    width_px=96,
    base=BaseSettings(widths=(8, 12, 16, 24), deconvolutions=(16, 12, 8)),
    graph=GraphSettings(first=16, width=16, adapted=(12, 8, 8)),
    least_visible=0,
    least_oks=0.0,
)


def identities(samples):
    """The people."""
    return {one.identity for picture in samples.pictures for one in picture.people}


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    folder = tmp_path_factory.mktemp("opec_net")
    write_couples(folder, {"train": 3, "val": 2})
    drawn = [couple(7, "test"), couple(8, "test", apart=90.0)]
    return Case(
        SMALL,
        Given(data=folder),
        [np.ascontiguousarray(image[..., ::-1]) for _, image in drawn],
        [picture.boxes for picture, _ in drawn],
        identities=identities,
        batch=2,
        steps=80,
        lr=5e-3,
        overfit=0.6,
        order=2e-2,
    )
