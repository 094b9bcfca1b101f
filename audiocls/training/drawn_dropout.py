"""Dropout whose noise is drawn outside the network, a generator for each trial.

Trials that are computed as one (`training.fused`) have one call for all of them: in there no trial
could draw from a generator of its own. So the calls of a network are recorded once, and their noise
is drawn in that order, as the network itself would for each trial.

Legend: B batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from audiocls.models.stochastic_depth import StochasticDepth

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, StochasticDepth)


@dataclass(frozen=True)
class Call:
    """One call of a dropout: which layer, and the shape of its noise as it lies in memory."""

    name: str
    like: Tensor
    """On the device, not initialised."""

    def drawn(self, p: float, generator: torch.Generator) -> Tensor:
        """Return noise of mean 1: 0 with probability `p`. Shape: → as `like`"""
        if p == 0:
            return torch.ones_like(self.like)
        noise = torch.empty_like(self.like)
        return noise.bernoulli_(1 - p, generator=generator).div_(1 - p)


@dataclass
class Noise:
    """What the dropouts of one network share: noise to use, or calls to record."""

    given: Sequence[Tensor] = ()
    """One for each call, in order."""
    calls: list[Call] | None = None
    """Calls so far, while they are recorded."""
    position: int = field(default=0)

    def at(self, name: str, features: Tensor, shape_of: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the features times the noise of the next call; as they are while recording."""
        if self.calls is not None:
            self.calls.append(Call(name, shape_of(features)))
            return features
        self.position += 1
        return features * self.given[self.position - 1]


class DrawnDropout(nn.Module):
    """Stands in for one dropout of a network."""

    def __init__(self, name: str, original: nn.Module, noise: Noise):
        super().__init__()
        self._name, self._noise = name, noise
        self._shape_of = (
            _per_clip
            if isinstance(original, StochasticDepth)
            else (torch.empty_like if type(original) is nn.Dropout else _per_channel)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self._noise.at(self._name, features, self._shape_of)


def _per_clip(features: Tensor) -> Tensor:
    return features.new_empty((len(features), *(1,) * (features.dim() - 1)))


def _per_channel(features: Tensor) -> Tensor:
    return features.new_empty((*features.shape[:2], *(1,) * (features.dim() - 2)))


def rates_of(network: nn.Module) -> dict[str, float]:
    """Return the probability of each dropout of a network, by the name of the layer."""
    return {
        name: float(layer.p)
        for name, layer in network.named_modules()
        if isinstance(layer, DROPOUTS)
    }


def draw_outside(network: nn.Module, noise: Noise, names: Sequence[str]) -> None:
    """Replace the dropouts `names` of a network by `DrawnDropout`, in place."""
    for name in names:
        parent, _, attribute = name.rpartition(".")
        layer = network.get_submodule(name)
        setattr(network.get_submodule(parent), attribute, DrawnDropout(name, layer, noise))
