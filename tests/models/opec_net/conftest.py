"""Drawn couples, small settings, and a batch of them."""

import pytest
import torch
from stick_couples import SMALL_OPEC_NET, couple

from models.opec_net import OpecNetSettings
from models.opec_net.data import Couples
from models.opec_net.network import OpecNet
from pipeline.core.skeletons import OPEC_12


@pytest.fixture(scope="session")
def small() -> OpecNetSettings:
    """Settings of a network that is quick."""
    return SMALL_OPEC_NET


@pytest.fixture(scope="session")
def pictures():
    """Three pictures of a couple each."""
    return [couple(number, "train")[0].in_skeleton(OPEC_12) for number in range(3)]


@pytest.fixture(scope="session")
def batch(pictures, small):
    """Of three couples."""
    samples = [Couples(pictures, small, 0)[k] for k in range(3)]
    return {name: torch.stack([one[name] for one in samples]) for name in samples[0]}


@pytest.fixture
def made():
    """A network of settings whose heads move joints."""

    def make(settings, seed=0):
        torch.manual_seed(seed)
        network = OpecNet(settings)
        for name, weight in network.named_parameters():
            if ".heads." in name:
                torch.nn.init.normal_(weight, std=0.03)
        return network

    return make
