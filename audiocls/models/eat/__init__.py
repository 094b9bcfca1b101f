"""Options of `eat` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from audiocls.models.eat.geometry import shortest_clip
from audiocls.models.options import Dropout, frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class EAT(Options):
    """End-to-end audio transformer: raw samples, wide residual blocks, a small transformer.

    Notable: every downsampling is anti-aliased by a fixed low-pass, all padding is reflection,
    and the positions are learned, so that a trained network takes one clip length only. `size`
    sets first channels / width / feed-forward / layers / heads: S 16 / 128 / 512 / 4 / 8 and
    M 32 / 256 / 2048 / 6 / 16 are the paper's; XS 4 / 32 / 64 / 1 / 4 is ours, for CPUs. Not for
    features: raw audio only. Source: Gazneli et al., 2022 (arXiv 2204.11479).
    """

    name: Literal["eat"] = "eat"
    size: Literal["XS", "S", "M"] = "S"
    factors: tuple[PositiveInt, ...] = Field(default=(4, 4, 4, 4), min_length=1)
    """One anti-aliased downsampling each; two by 2 follow. Short clips need fewer or smaller."""
    dropout: Dropout = 0.1
    """Probability in the transformer: attention, feed-forward and both residual branches."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        in_channels, num_samples = in_shape
        reason = f"factors {list(self.factors)} leave too few to reflect, smaller ones more"
        problems = frame_problems(num_samples, shortest_clip(self.factors), reason)
        if in_channels == 1:
            return problems
        # These are no samples, so their number is no reason beside this one.
        return [
            f"got features of {in_channels} channels, allowed: 1, since it learns from samples; "
            "use features.name=raw"
        ]

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.eat import network

        require_compatible(self, in_shape)
        return network.EAT(
            in_shape[1],
            num_classes,
            network.SIZES[self.size],
            factors=self.factors,
            dropout=self.dropout,
        )
