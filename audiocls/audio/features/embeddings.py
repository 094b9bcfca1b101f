"""What frozen encoders share as front ends: layers, pooling, and the rows that are cached.

One pass of a clip gives the statistics of every layer, so that arms with other layers or another
pooling share it. The torch-free part; the modules are in `embedder.py`.

Legend: N clips, B batch, C channels, L frames or layers, D width, S values of a row.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from audiocls.audio.features.options import FrontEndOptions
from audiocls.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from audiocls.audio.features.embedder import Embedder

Pool = Literal["mean", "max", "mean_max", "frames"]
Layers = int | tuple[int, ...] | Literal["all"]


@dataclass(frozen=True)
class Layout:
    """What lies where in the row of a clip."""

    widths: tuple[int, ...]
    """D of each layer: the row has its mean and its maximum, layer after layer."""
    frames: int | None = None
    """Frames of each layer, where the row has these instead: (D, layers · L)."""

    @property
    def num_values(self) -> int:
        """S."""
        if self.frames is None:
            return 2 * sum(self.widths)
        return self.frames * sum(self.widths)

    def columns(self, layer: int, pool: Pool) -> slice:
        """Return the columns of a layer's pooled frames."""
        begin, width = 2 * sum(self.widths[:layer]), self.widths[layer]
        ends = {"mean": (0, width), "max": (width, 2 * width), "mean_max": (0, 2 * width)}[pool]
        return slice(begin + ends[0], begin + ends[1])


class EmbeddingOptions(FrontEndOptions):
    """Options of a frozen encoder as a front end."""

    if TYPE_CHECKING:

        @property
        def pool(self) -> Pool: ...

        @property
        def layer(self) -> Layers: ...

        @property
        def normalise(self) -> Literal["none", "train"]: ...

    @property
    def uses_training_statistics(self) -> bool:
        return self.normalise == "train"

    @property
    def has_known_shape(self) -> bool:
        return False

    @abstractmethod
    def embedder(self, sample_rate: int) -> "Embedder":
        """Build the encoder for `sample_rate` Hz, of which `build` makes a front end."""

    @abstractmethod
    def row_identity(self) -> dict[str, Any]:
        """Return all that decides the rows of clips, for cache keys."""

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        """Return (C, L), by the rows that are cached or else by building the encoder."""
        from audiocls.audio.features.embedder import layout_at

        return self.shape_of(layout_at(self, num_samples, sample_rate))

    def shape_of(self, layout: Layout) -> tuple[int, int]:
        """Return (C, L) of the chosen layers; raise `ConfigError` for layers that do not fit."""
        chosen = self.chosen(layout)
        width = layout.widths[chosen[0]]
        if layout.frames is not None:
            return width, layout.frames * len(chosen)
        return (2 * width if self.pool == "mean_max" else width), len(chosen)

    def chosen(self, layout: Layout) -> tuple[int, ...]:
        """Return the layers' numbers from 0; raise `ConfigError` for layers that do not fit."""
        count = len(layout.widths)
        if layout.frames is not None:
            return tuple(range(count))  # the row has no others
        numbers = layers_of(self.layer, count)
        if len({layout.widths[number] for number in numbers}) > 1:
            fault = f"layers of widths {list(layout.widths)} do not go together; name one layer"
            raise ConfigError(f"features {self.name}", [fault])
        return numbers

    def build(self, sample_rate: int) -> "nn.Module":
        """Build the front end for `sample_rate` Hz, (B, T) → (B, C, L)."""
        from audiocls.audio.features.embedder import EmbeddingFrontEnd

        self.require_possible(sample_rate)
        return EmbeddingFrontEnd(self, self.embedder(sample_rate))

    def fixed_front_end(self, sample_rate: int) -> "nn.Module":
        """Return the front end, whose encoder is loaded when a waveform comes.

        Where every clip is cached, none does.
        """
        from audiocls.audio.features.embedder import Later

        return Later(lambda: self.build(sample_rate).eval())


def layers_of(layer: Layers, count: int) -> tuple[int, ...]:
    """Return layers' numbers from 0, of `count`; raise `ConfigError` for one that is not there.

    >>> layers_of(-1, 13), layers_of((0, 12), 13), layers_of("all", 3)
    ((12,), (0, 12), (0, 1, 2))
    """
    if layer == "all":
        return tuple(range(count))
    given = (layer,) if isinstance(layer, int) else tuple(layer)
    wrong = [each for each in given if not -count <= each < count]
    if wrong:
        fault = f"layer: got {wrong[0]}, allowed: {-count} to {count - 1}; 0 is what block 1 gets"
        raise ConfigError("features", [fault])
    return tuple(each % count for each in given)
