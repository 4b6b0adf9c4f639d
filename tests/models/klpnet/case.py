"""Drawn kites and masts."""

from dataclasses import replace

from contract_cases import Case
from drawn_kites import bodies, frame, write_splits
from small_klpnet import SMALL

from models.contract import Given


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    return Case(
        replace(SMALL, unnamed=0.0),
        Given(data=write_splits(tmp_path_factory.mktemp("klpnet"))),
        [frame(0, overlap=False), frame(1, overlap=True)],
        identities=bodies,
        batch=8,
        steps=60,
        lr=6e-3,
        overfit=0.6,
        order=1e-3,
    )
