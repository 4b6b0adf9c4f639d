"""The networks: one folder a paper, all filling in one contract (models.contract), and what they share.

import models
found = models.load("occlusion_net")("street.jpg", boxes=[[10, 20, 80, 40]])
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from readers.texts import expanded


def load(name: str, weights: str | Path | None = None, device: str | None = None) -> Any:
    """A network by its folder's name, ready to predict: see `models.predictor.Predictor`.

    weights: a file that training wrote, else what ships; device: torch's name of one, else CUDA where there is one.
    Raises ValueError for an unknown network and for weights of another one.
    """
    from models.contract import find, load_object  # not at import: the house's other users do without

    spec = find(name, 'models.load("occlusion_net")')
    loader = load_object(spec.predictor or "models.predictor:load")
    return loader(spec, expanded(weights, "weights") if weights else None, device)
