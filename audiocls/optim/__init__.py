"""Optimisers, learning-rate schedules, SAM and weight averages: their options (torch-free).

The unions `Optim`, `Schedule` and `Averaging` are the registries. What they build is in
`optimizers.py`, `schedules.py`, `stepping.py` (plain, SAM, ASAM), `averaging.py` (EMA, SWA) and
`swa_rate.py`.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from audiocls.optim.schedule_options import Constant, Cosine, OneCycle, Plateau, Step
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from audiocls.optim.averaging import WeightAverage
    from audiocls.optim.schedules import LearningRate

Beta = Annotated[float, Field(ge=0.0, lt=1.0)]


class AdamW(Options):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    name: Literal["adamw"] = "adamw"
    lr: float = Field(default=1e-3, gt=0.0)
    """Peak learning rate; the schedule scales it."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """Decay per step of the running means of the gradient and of its square, each in [0, 1)."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    """Each step multiplies weights by 1 - lr · weight_decay; see `optimizers.decay_groups`."""

    def build(self, model: "nn.Module") -> "Optimizer":
        """Return the optimiser of the trainable parameters of `model`."""
        from audiocls.optim import optimizers

        return optimizers.adamw(model, self.lr, self.betas, self.weight_decay)


class Adam(Options):
    """Adam (Kingma and Ba, 2015); its `weight_decay` is an L2 penalty on the gradient.

    Adam divides that penalty, like the gradient, by a running scale of each weight, so weights
    with large gradients are decayed less: to regularise by weight decay use `adamw`.
    """

    name: Literal["adam"] = "adam"
    lr: float = Field(default=1e-3, gt=0.0)
    """Peak learning rate; the schedule scales it."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """Decay per step of the running means of the gradient and of its square, each in [0, 1)."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Times the weight is added to its gradient."""

    def build(self, model: "nn.Module") -> "Optimizer":
        """Return the optimiser of the trainable parameters of `model`."""
        from audiocls.optim import optimizers

        return optimizers.adam(model, self.lr, self.betas, self.weight_decay)


class SGD(Options):
    """Stochastic gradient descent with (Nesterov) momentum.

    Its learning rates are not Adam's: change `lr` together with the optimiser.
    """

    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=0.05, gt=0.0)
    """Peak learning rate; the schedule scales it."""
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Decay per step of the running sum of gradients, in [0, 1); 0 is plain gradient descent."""
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Times the weight is added to its gradient."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                "nesterov: got true, allowed: only with a momentum above 0; set momentum"
            )
        return self

    def build(self, model: "nn.Module") -> "Optimizer":
        """Return the optimiser of the trainable parameters of `model`."""
        from audiocls.optim import optimizers

        return optimizers.sgd(model, self.lr, self.momentum, self.nesterov, self.weight_decay)


Optim = Annotated[AdamW | Adam | SGD, Field(discriminator="name")]


Schedule = Annotated[Constant | Cosine | OneCycle | Step | Plateau, Field(discriminator="name")]


class Sam(Options):
    """Sharpness-aware minimisation around any optimiser (Foret et al., 2021); rho 0 is without.

    Each step computes two gradients, so a comparison at equal epochs is not one at equal compute.
    """

    rho: float = Field(default=0.0, ge=0.0)
    """Radius of the neighbourhood, as the L2 norm over all weights together."""
    adaptive: bool = False
    """ASAM (Kwon et al., 2021): distances are relative to the size of each weight. The paper's
    `rho` is ten times SAM's: 0.5 and 1 on CIFAR-10 and CIFAR-100."""
    eta: float = Field(default=0.01, ge=0.0)
    """Added to each weight's size under `adaptive`, so that weights near 0 are moved too."""

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "Sam":
        if self.adaptive and self.rho == 0:
            raise ValueError("adaptive: got true, allowed: only with a radius above 0; set sam.rho")
        if "eta" in self.changed() and not self.adaptive:
            raise ValueError(
                f"eta: got {self.eta:g}, allowed: only with sam.adaptive=true; leave it out"
            )
        return self


class NoAveraging(Options):
    """No weight averaging: the weights of each epoch's last step are scored and saved."""

    name: Literal["none"] = "none"

    def build(self, model: "nn.Module", num_epochs: int) -> "WeightAverage":
        """Return an average that is the current weights of `model`."""
        from audiocls.optim import averaging

        return averaging.CurrentWeights(model)

    def wrap_schedule(
        self,
        schedule: "LearningRate",
        optimizer: "Optimizer",
        num_epochs: int,
        epoch_steps: int,
    ) -> "LearningRate":
        """Return `schedule` itself: this average needs no learning rate of its own."""
        return schedule


class Ema(Options):
    """Exponential moving average of the weights, with a warm-up of the decay.

    It remembers about `every_steps` / (1 - `decay`) steps, 1,000 by default: choose fewer for a
    training that is not several times as long.
    """

    name: Literal["ema"] = "ema"
    decay: float = Field(default=0.995, ge=0.0, lt=1.0)
    """Share of the average that an update keeps, in [0, 1); 0 copies the current weights."""
    every_steps: int = Field(default=5, ge=1)
    """Optimiser steps from one update of the average to the next."""

    def build(self, model: "nn.Module", num_epochs: int) -> "WeightAverage":
        """Return the moving average of the weights of `model`."""
        from audiocls.optim import averaging

        return averaging.MovingAverage(model, self.decay, self.every_steps)

    def wrap_schedule(
        self,
        schedule: "LearningRate",
        optimizer: "Optimizer",
        num_epochs: int,
        epoch_steps: int,
    ) -> "LearningRate":
        """Return `schedule` itself: this average needs no learning rate of its own."""
        return schedule


class Swa(Options):
    """Stochastic weight averaging: the mean of the last epochs' weights (Izmailov et al., 2018).

    With few epochs there is little to average: their share is 1 - `start`.
    """

    name: Literal["swa"] = "swa"
    start: float = Field(default=0.8, ge=0.0, lt=1.0)
    """Share of the epochs before averaging begins, in [0, 1); at least one epoch is averaged."""
    lr: float = Field(default=1e-2, gt=0.0)
    """Learning rate while averaging, in place of the schedule's."""
    anneal_epochs: int = Field(default=10, ge=0)
    """Epochs, after averaging has begun, from the schedule's last rate to `lr` (half a cosine)."""

    def num_before(self, num_epochs: int) -> int:
        """Return the number of epochs that are not averaged.

        >>> [Swa(start=0.75).num_before(num_epochs) for num_epochs in (1, 2, 20)]
        [0, 1, 15]
        """
        return min(round(self.start * num_epochs), num_epochs - 1)

    def build(self, model: "nn.Module", num_epochs: int) -> "WeightAverage":
        """Return the average of the weights of `model` after each of its last epochs."""
        from audiocls.optim import averaging

        return averaging.EpochAverage(model, self.num_before(num_epochs))

    def wrap_schedule(
        self,
        schedule: "LearningRate",
        optimizer: "Optimizer",
        num_epochs: int,
        epoch_steps: int,
    ) -> "LearningRate":
        """Return `schedule`, replaced by the constant `lr` once averaging has begun."""
        from audiocls.optim.swa_rate import SwaRate

        num_before = self.num_before(num_epochs) * epoch_steps
        num_anneal = self.anneal_epochs * epoch_steps
        return SwaRate(schedule, optimizer, num_before, num_anneal, self.lr)


Averaging = Annotated[NoAveraging | Ema | Swa, Field(discriminator="name")]

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Averaging",
    "Constant",
    "Cosine",
    "Ema",
    "NoAveraging",
    "OneCycle",
    "Optim",
    "Plateau",
    "Sam",
    "Schedule",
    "Step",
    "Swa",
]
