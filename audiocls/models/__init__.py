"""Classifiers: what exists, with its options (torch-free); the union `Model` is the registry.

Every model maps (B, C, L) to logits (B, K); `in_shape` is (channels, frames): (1, T) for raw
audio, (F, L) for log-mel bands. One file per architecture; each is imported when it is built.
"""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from audiocls.errors import ConfigError
from audiocls.part import Part

if TYPE_CHECKING:
    from torch import nn

Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError(f"must be odd, so that padding keeps the length; got {kernel}")
    return kernel


OddKernel = Annotated[PositiveInt, AfterValidator(_odd)]


def _require_frames(name: str, frames: int, minimum: int, reason: str) -> None:
    if frames < minimum:
        fault = f"got {frames} frames, allowed: {minimum} or more ({reason}); use longer clips"
        raise ConfigError(f"model {name}", [fault])


class LogMelCNN(Part):
    """1-D CNN over mel bands: four × (conv, BatchNorm, max-pool, ReLU), pooled, one Linear.

    Unusual: the mel bands are channels, not a picture's axis, so the first convolution sees all
    of them at once (or a group of neighbouring ones), and 100,000 parameters are enough. Source:
    the course assignment on yes/no keywords. Not for raw audio: the kernels span a few samples.
    """

    name: Literal["logmel_cnn"] = "logmel_cnn"
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 64, 96, 96)
    kernel: OddKernel = 3
    """Frames each convolution spans."""
    pool: PositiveInt = 3
    """Frames each max-pool merges into one; what is left at the end is merged too."""
    dropout: Dropout = 0.0
    """Before the Linear."""
    groups: PositiveInt = 1
    """Of every convolution; must divide every channel count, the mel bands included."""

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models import logmel_cnn

        in_channels, frames = in_shape
        self._require_divisible(in_channels)
        _require_frames(self.name, frames, 1, "an empty clip has no class")
        return logmel_cnn.LogMelCNN(
            in_channels,
            num_classes,
            channels=self.channels,
            kernel=self.kernel,
            pool=self.pool,
            dropout=self.dropout,
            groups=self.groups,
        )

    def _require_divisible(self, in_channels: int) -> None:
        """Refuses this trial only: with another number of mel bands the same groups may fit."""
        counts = {"input (mel bands)": in_channels} | {
            f"channels[{index}]": count for index, count in enumerate(self.channels)
        }
        offending = [f"{name} = {n}" for name, n in counts.items() if n % self.groups]
        if not offending:
            return
        largest = math.gcd(*counts.values())
        allowed = [d for d in range(1, largest + 1) if largest % d == 0]
        fault = (
            f"groups: got {self.groups}, which does not divide {', '.join(offending)}; "
            f"allowed: {', '.join(map(str, allowed))} (the divisors all counts share)"
        )
        raise ConfigError(f"model {self.name}", [fault])


class ConvNeXt1d(Part):
    """ConvNeXt along time, on raw audio or any features; the mean over time of a 1 × 1 head.

    Unusual: depthwise kernels of 49 frames, one GroupNorm group (so batch size does not matter),
    no layer scale, and two dropouts in a row, of values and of whole channels. Widths double
    with each stage. Source: the regularisation study on ESC-50; Liu et al., 2022
    (arXiv 2201.03545) for the block. The defaults are 36.6 M parameters: on a CPU choose
    stem_width 16, strides [4, 4], kernel 9.
    """

    name: Literal["convnext1d"] = "convnext1d"
    stem_width: PositiveInt = 64
    stem_stride: PositiveInt = 16
    """Frames per patch of the stem: its kernel as well as its stride."""
    strides: tuple[PositiveInt, ...] = Field(default=(4, 4, 4, 4), min_length=1)
    """One stage each."""
    blocks: PositiveInt = 3
    """Per stage."""
    kernel: OddKernel = 49
    dropout: Dropout = 0.0
    """Of both dropouts of each block."""
    expansion: PositiveInt = 4

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models import convnext1d

        in_channels, frames = in_shape
        minimum = self.stem_stride * math.prod(self.strides)
        _require_frames(self.name, frames, minimum, "the product of all strides")
        return convnext1d.ConvNeXt1d(
            in_channels,
            num_classes,
            stem_width=self.stem_width,
            stem_stride=self.stem_stride,
            strides=self.strides,
            blocks=self.blocks,
            kernel=self.kernel,
            dropout=self.dropout,
            expansion=self.expansion,
        )


class HiFiGAN(Part):
    """One scale discriminator of HiFi-GAN as a classifier: the mean over time of its last layer.

    Unusual: no normalisation but weight norm, no pooling, wide grouped convolutions on raw audio.
    Groups shrink with `width` so that none has fewer channels than at the default width. Source:
    the regularisation study on ESC-50; Kong et al., 2020 (arXiv 2010.05646), section 2.3.
    """

    name: Literal["hifigan"] = "hifigan"
    width: int = Field(default=128, gt=0, multiple_of=8)
    """Channels of the first layer; the last hidden ones have eight times as many."""
    weight_norm: bool = True

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models import hifigan

        in_channels, frames = in_shape
        _require_frames(self.name, frames, 1, "an empty clip has no class")
        return hifigan.HiFiGAN(
            in_channels, num_classes, width=self.width, weight_norm=self.weight_norm
        )


Model = Annotated[LogMelCNN | ConvNeXt1d | HiFiGAN, Field(discriminator="name")]
