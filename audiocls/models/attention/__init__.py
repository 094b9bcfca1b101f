"""Options of `attention` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import EMPTY, Dropout, frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class Attention(Options):
    """Attention over frames or over an encoder's layers, one Linear.

    Notable: of pooled features of several layers (`features.layer=all`) each layer is a frame, so
    that the weights are of layers, clip by clip. Of frames of several layers, `layers` learns one
    weight a layer first, the same for all clips (Yang et al., SUPERB, 2021, section 2.2), and
    attention is over frames then (Ilse et al., 2018, section 2.4).
    """

    name: Literal["attention"] = "attention"
    width: PositiveInt = 128
    """Hidden units of the score of a frame."""
    layers: PositiveInt = 1
    """Layers whose frames follow one another; it divides the number of frames."""
    dropout: Dropout = 0.0
    """Probability of dropout before the Linear."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        frames = in_shape[1]
        if problems := frame_problems(frames, self.layers, EMPTY):
            return problems
        if frames % self.layers:
            return [
                f"layers: got {self.layers}, allowed: a divisor of the frames, got {frames} frames"
            ]
        return []

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.attention import network

        require_compatible(self, in_shape)
        return network.Attention(
            in_shape[0], num_classes, width=self.width, layers=self.layers, dropout=self.dropout
        )
