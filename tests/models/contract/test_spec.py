"""Settings as they are stored: round trips, and fields that had another name when a file was written."""

import json
from dataclasses import dataclass, field

import pytest
from safetensors import safe_open

from models.contract import specs
from models.contract.spec import from_plain, to_plain


@dataclass(frozen=True)
class Inner:
    sides: tuple[int, int] = (3, 4)
    fraction: float = field(default=0.5, metadata={"formerly": "share"})


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    iterations: int = field(default=2, metadata={"formerly": "rounds"})


def test_what_is_stored_is_what_the_version_before_stored_and_is_read_again():
    settings = Outer(Inner((5, 6), 0.25), 1)
    stored = json.loads(json.dumps(to_plain(settings)))
    assert stored == {"inner": {"sides": [5, 6], "share": 0.25}, "rounds": 1}
    assert from_plain(Outer, stored) == settings


def test_the_new_names_are_read_as_well_and_unknown_ones_are_not():
    assert from_plain(Outer, {"iterations": 1, "inner": {"fraction": 0.25}}) == Outer(Inner(fraction=0.25), 1)
    with pytest.raises(TypeError, match="laps"):
        from_plain(Outer, {"laps": 1})


# Weights that a network is meant to ship with may not be made yet.
THERE = {name: spec for name, spec in specs().items() if spec.weights is not None and spec.weights.is_file()}
SHIPPED = {name: spec for name, spec in THERE.items() if spec.weights.suffix == ".safetensors"}


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_stored_by_the_names_that_it_is_written_with(name):
    """Settings that a later version added are not in its file."""
    spec = SHIPPED[name]
    with safe_open(spec.shipped, "np") as file:
        config = json.loads(file.metadata()["config"])
    written = json.loads(json.dumps(to_plain(spec.rebuilt(config, spec.shipped))))
    stored = config["network"]
    assert {key: written[key] for key in stored} == stored
