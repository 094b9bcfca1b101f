"""Options of `eat` (torch-free); the network lies in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from audiocls.errors import ConfigError
from audiocls.models.eat.geometry import shortest_clip
from audiocls.models.options import Dropout, require_frames
from audiocls.part import Part

if TYPE_CHECKING:
    from torch import nn


class EAT(Part):
    """End-to-end audio transformer: raw samples, wide residual blocks, a small transformer.

    Unusual: every downsampling is anti-aliased by a fixed low-pass, all padding is reflection,
    and the positions are learned, so that a trained network takes one clip length only. `size`
    sets first channels / width / feed-forward / layers / heads: S 16 / 128 / 512 / 4 / 8 and
    M 32 / 256 / 2048 / 6 / 16 are the paper's; XS 4 / 32 / 64 / 1 / 4 is ours, for CPUs. Not for
    features: raw audio only. Source: Gazneli et al., 2022 (arXiv 2204.11479).
    """

    name: Literal["eat"] = "eat"
    size: Literal["XS", "S", "M"] = "S"
    factors: tuple[PositiveInt, ...] = Field(default=(4, 4, 4, 4), min_length=1)
    """One anti-aliased downsampling each; two more by 2 follow. Short clips take fewer."""
    dropout: Dropout = 0.1
    """Of the transformer: attention, feed-forward and both residual branches."""

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models.eat import network

        in_channels, num_samples = in_shape
        self._require_raw(in_channels)
        reason = f"factors {list(self.factors)} leave too few to pad by reflection"
        require_frames(self.name, num_samples, shortest_clip(self.factors), reason)
        return network.EAT(
            num_samples,
            num_classes,
            network.SIZES[self.size],
            factors=self.factors,
            dropout=self.dropout,
        )

    def _require_raw(self, in_channels: int) -> None:
        if in_channels != 1:
            fault = (
                f"got features of {in_channels} channels, allowed: 1, since it learns from "
                "samples; use features.name=raw"
            )
            raise ConfigError(f"model {self.name}", [fault])
