"""Options of `mlp` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import EMPTY, Dropout, frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class MLP(Options):
    """A perceptron on the mean over frames: Linear, GELU, dropout, Linear.

    For features of a frozen encoder in which classes lie, but not in straight lines.
    """

    name: Literal["mlp"] = "mlp"
    width: PositiveInt = 256
    """Hidden units."""
    dropout: Dropout = 0.1
    """Probability of dropout before the last Linear."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return frame_problems(in_shape[1], 1, EMPTY)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.mlp import network

        require_compatible(self, in_shape)
        return network.MLP(in_shape[0], num_classes, width=self.width, dropout=self.dropout)
