"""Options of `kws` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from audiocls.models.options import frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn

PerLayer = tuple[PositiveInt, ...]


class Kws(Options):
    """A keyword spotter for a microcontroller: separable convolutions over mel bands, unpadded.

    Notable: its budget is 10,000 parameters and a million multiply-accumulates of a (64, 101)
    clip. A layer is a convolution of stride s with as many groups as channels, a 1 × 1
    convolution, BatchNorm and a max-pool of s: a stride of 2 keeps a quarter of the frames.
    The defaults are 3,205 parameters for 5 keywords. Source: the tiny keyword spotter, whose final
    log-softmax is left to the loss: this model returns logits.
    """

    name: Literal["kws"] = "kws"
    channels: PerLayer = Field(default=(32, 32), min_length=1)
    """Output channels, one entry per layer: the number of entries is the depth."""
    kernels: PerLayer = Field(default=(3,), min_length=1)
    """Frames: one entry for all layers, or one each."""
    strides: PerLayer = Field(default=(2,), min_length=1)
    """Frames, of convolution and max-pool alike: one entry for all layers, or one each."""
    activation: Literal["relu", "leaky_relu", "silu"] = "silu"
    """After each convolution."""
    head: Literal["conv", "fc"] = "fc"
    """`conv`: a Linear to the classes; `fc`: a hidden layer before it; both on the time mean."""
    hidden: PositiveInt = 16
    """Units of the hidden layer of head fc."""
    input_norm: Literal["none", "batch_norm"] = "none"
    """BatchNorm of the features, band by band."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Kws":
        depth = len(self.channels)
        allowed = f"1 entry, or {depth} as channels has" if depth > 1 else "1, as channels has"
        problems = [
            f"{name}: got {len(entries)} entries, allowed: {allowed}"
            for name, entries in (("kernels", self.kernels), ("strides", self.strides))
            if len(entries) not in (1, depth)
        ]
        if self.head == "conv" and "hidden" in self.changed():
            problems.append(f"hidden: got {self.hidden}, but head conv has no hidden layer")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def layers(self) -> tuple[tuple[int, int, int], ...]:
        """(channels, kernel in frames, stride in frames) of each layer."""
        depth = len(self.channels)
        kernels, strides = (
            entries * depth if len(entries) == 1 else entries
            for entries in (self.kernels, self.strides)
        )
        return tuple(zip(self.channels, kernels, strides, strict=True))

    @property
    def min_frames(self) -> int:
        """Frames of the shortest clip that leaves the last layer one frame."""
        frames = 1
        for _, kernel, stride in reversed(self.layers):
            # n frames after the max-pool are n · s before it; those before the convolution follow.
            frames = (frames * stride - 1) * stride + kernel
        return frames

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return frame_problems(in_shape[1], self.min_frames, "kernels and strides are not padded")

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.kws import network

        require_compatible(self, in_shape)
        return network.Kws(
            in_shape[0],
            num_classes,
            layers=self.layers,
            activation=self.activation,
            hidden=self.hidden if self.head == "fc" else None,
            has_input_norm=self.input_norm == "batch_norm",
        )
