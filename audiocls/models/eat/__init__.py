"""Options of `eat` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field, PositiveInt, model_validator

from audiocls.models.eat.geometry import shortest_clip
from audiocls.models.options import Dropout, frame_problems, require_compatible
from audiocls.options import Options, added

if TYPE_CHECKING:
    from torch import nn


class Size(NamedTuple):
    """The numbers that differ between the sizes."""

    channels: int
    """After the first convolution; each downsampling doubles them."""
    width: int
    feedforward: int
    layers: int
    heads: int


SIZES = {
    "XS": Size(channels=4, width=32, feedforward=64, layers=1, heads=4),
    "S": Size(channels=16, width=128, feedforward=512, layers=4, heads=8),
    "M": Size(channels=32, width=256, feedforward=2048, layers=6, heads=16),
}


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
    """Sets channels, width, feed-forward, layers and heads together."""
    factors: tuple[PositiveInt, ...] = Field(default=(4, 4, 4, 4), min_length=1)
    """One anti-aliased downsampling each; two by 2 follow. Short clips need fewer or smaller."""
    dropout: Dropout = 0.1
    """Probability in the transformer: attention, feed-forward and both residual branches."""
    embedding_dropout: Dropout | None = added(None)
    """Probability for the tokens with their positions; none means `dropout`, the authors' code
    has 0."""
    init: Literal["independent", "authors"] = added("independent")
    """First weights of the transformer. `authors`: as their code has them, the same in all layers,
    and biases of the feed-forward and of the last layer 0 instead of uniform."""
    positions: Literal["exact", "interpolated"] = added("exact")
    """Under `init_from`, positions of clips of another length: not copied, or resampled."""
    channels: PositiveInt | None = added(None)
    """After the first convolution; each downsampling doubles them. This and the following four:
    instead of what `size` sets."""
    width: PositiveInt | None = added(None)
    """Width of the transformer."""
    feedforward: PositiveInt | None = added(None)
    """Hidden units of each feed-forward."""
    layers: PositiveInt | None = added(None)
    """Layers of the transformer."""
    heads: PositiveInt | None = added(None)
    """Divides the width."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "EAT":
        size = self.dimensions()
        if size.width % size.heads:
            raise ValueError(
                f"heads: got {size.heads}, allowed: a divisor of the width, {size.width}"
            )
        return self

    def dimensions(self) -> Size:
        """Return the numbers of `size`, but for those that are given themselves."""
        given = {name: getattr(self, name) for name in Size._fields}
        known = {name: value for name, value in given.items() if value is not None}
        return SIZES[self.size]._replace(**known)

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
            self.dimensions(),
            factors=self.factors,
            dropout=self.dropout,
            embedding_dropout=self.embedding_dropout,
            is_as_authors=self.init == "authors",
            resamples_positions=self.positions == "interpolated",
        )
