"""Options of `linear` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from audiocls.models.options import EMPTY, Dropout, frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class Linear(Options):
    """A linear probe: the mean over frames, one Linear.

    What a frozen encoder knows is what this can read off its features. Not for raw audio.
    """

    name: Literal["linear"] = "linear"
    dropout: Dropout = 0.0
    """Probability of dropout before the Linear."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return frame_problems(in_shape[1], 1, EMPTY)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.linear import network

        require_compatible(self, in_shape)
        return network.Linear(in_shape[0], num_classes, dropout=self.dropout)
