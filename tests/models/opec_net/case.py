"""Stick figures in couples: a picture of one couple, and one of two who stand far apart."""

import numpy as np
from contract_cases import Case
from stick_couples import SMALL_OPEC_NET, couple, write_couples

from models.contract import Given


def identities(samples):
    """The people."""
    return {one.identity for picture in samples.pictures for one in picture.people}


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    folder = tmp_path_factory.mktemp("opec_net")
    write_couples(folder, {"train": 3, "val": 2})
    drawn = [couple(7, "test"), couple(8, "test", apart=90.0)]
    return Case(
        SMALL_OPEC_NET,
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
