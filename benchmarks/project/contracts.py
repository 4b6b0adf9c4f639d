"""What import-linter holds the networks to; pyproject.toml names it. A network is a folder of models/ with a card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract

MODELS = Path(__file__).parents[2] / "models"


def networks() -> list[str]:
    """The packages of networks: a new one is bound by the contracts without being mentioned."""
    return [f"models.{card.parent.name}" for card in sorted(MODELS.glob("*/card.md"))]


def shared() -> list[str]:
    """The modules and packages of models/ beside them."""
    names = sorted(path.stem for path in MODELS.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    return [f"models.{name}" for name in names if name != "__init__" and f"models.{name}" not in networks()]


class Networks(IndependenceContract):
    """No network's folder imports another's, neither at once nor by way of others."""

    type_name = "networks"

    def __init__(self, name: str, session_options: dict[str, Any], contract_options: dict[str, Any]) -> None:
        super().__init__(name, session_options, contract_options | {"modules": networks()})


class Shared(ForbiddenContract):
    """What networks share imports none of them."""

    type_name = "shared"

    def __init__(self, name: str, session_options: dict[str, Any], contract_options: dict[str, Any]) -> None:
        rooms = {"source_modules": shared(), "forbidden_modules": networks()}
        super().__init__(name, session_options, contract_options | rooms)
