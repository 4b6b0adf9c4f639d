"""Sizes of layers, which networks' own settings are made of; loading them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

CELL_PX = 16  # of the picture, along either axis, that a token of a vision transformer stands for


@dataclass(frozen=True)
class BackboneSettings:
    """The transformer's size."""

    height_px: int = field(default=128, metadata={"help": "of the picture; its width is three quarters of that"})
    dim: int = field(default=160, metadata={"help": "channels of a token"})
    depth: int = field(default=2, metadata={"help": "layers"})
    heads: int = field(default=5, metadata={"help": "of attention"})
    stem: int = field(default=40, metadata={"help": "channels of the convolutional stem; 0 for plain patches"})
    drop_path: float = field(default=0.05, metadata={"help": "how often a sample skips the last layer, when trained"})

    @property
    def tokens_hw(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.height_px // CELL_PX, self.height_px * 3 // 4 // CELL_PX
