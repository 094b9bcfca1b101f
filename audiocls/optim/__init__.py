"""Optimisers, learning-rate schedules, SAM and weight averages: their options (torch-free).

The code lies beside: `optimizers.py`, `schedules.py`, `stepping.py` (SAM), `averaging.py`.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

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
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: float = Field(default=0.01, ge=0.0)

    def build(self, model: "nn.Module") -> "Optimizer":
        from audiocls.optim import optimizers

        return optimizers.adamw(model, self.lr, self.betas, self.weight_decay)


class Adam(Options):
    """Adam (Kingma and Ba, 2015); its `weight_decay` is an L2 penalty on the gradient."""

    name: Literal["adam"] = "adam"
    lr: float = Field(default=1e-3, gt=0.0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0.0)

    def build(self, model: "nn.Module") -> "Optimizer":
        from audiocls.optim import optimizers

        return optimizers.adam(model, self.lr, self.betas, self.weight_decay)


class SGD(Options):
    """Stochastic gradient descent with (Nesterov) momentum."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=0.05, gt=0.0)
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                "nesterov: got true, allowed: only with a momentum above 0; set momentum"
            )
        return self

    def build(self, model: "nn.Module") -> "Optimizer":
        from audiocls.optim import optimizers

        return optimizers.sgd(model, self.lr, self.momentum, self.nesterov, self.weight_decay)


Optim = Annotated[AdamW | Adam | SGD, Field(discriminator="name")]


class Constant(Options):
    """The learning rate stays where it is."""

    name: Literal["constant"] = "constant"

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LearningRate":
        from audiocls.optim import schedules

        return schedules.constant(optimizer)


class Cosine(Options):
    """Linear warm-up, then a half cosine down to zero (Loshchilov and Hutter, 2017)."""

    name: Literal["cosine"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0.0)

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LearningRate":
        from audiocls.optim import schedules

        warmup = round(self.warmup_epochs * steps_an_epoch)
        return schedules.warmup_cosine(optimizer, warmup, num_epochs * steps_an_epoch)


class OneCycle(Options):
    """Up to `optim.lr` and down again in one cycle (Smith and Topin, 2018)."""

    name: Literal["onecycle"] = "onecycle"
    pct_start: float = Field(default=0.3, gt=0.0, lt=1.0)

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LearningRate":
        from audiocls.optim import schedules

        return schedules.one_cycle(optimizer, self.pct_start, num_epochs * steps_an_epoch)


class Step(Options):
    """The learning rate times `gamma` every `every_epochs` epochs."""

    name: Literal["step"] = "step"
    every_epochs: int = Field(default=10, ge=1)
    gamma: float = Field(default=0.1, gt=0.0, le=1.0)

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LearningRate":
        from audiocls.optim import schedules

        return schedules.step(optimizer, self.every_epochs * steps_an_epoch, self.gamma)


class Plateau(Options):
    """The learning rate times `factor` whenever the selection metric has stopped improving."""

    name: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.5, gt=0.0, lt=1.0)
    patience: int = Field(default=10, ge=0)
    """Epochs without a new best that are let pass; the one after them lowers the rate."""

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LearningRate":
        from audiocls.optim import schedules

        return schedules.OnPlateau(optimizer, self.factor, self.patience)


Schedule = Annotated[Constant | Cosine | OneCycle | Step | Plateau, Field(discriminator="name")]


class Sam(Options):
    """Sharpness-aware minimisation around any optimiser (Foret et al., 2021); 0 switches it off."""

    rho: float = Field(default=0.0, ge=0.0)
    """Radius of the neighbourhood in the norm of all weights; each step costs two gradients."""
    adaptive: bool = False
    """ASAM (Kwon et al., 2021): the way of each weight is measured relative to its size. The
    paper's `rho` is ten times SAM's: 0.5 and 1 on CIFAR-10 and CIFAR-100."""
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
    """The weights of each epoch's last step are scored and saved."""

    name: Literal["none"] = "none"

    def build(self, model: "nn.Module", num_epochs: int) -> "WeightAverage":
        from audiocls.optim import averaging

        return averaging.CurrentWeights(model)

    def drive(
        self,
        schedule: "LearningRate",
        optimizer: "Optimizer",
        num_epochs: int,
        steps_an_epoch: int,
    ) -> "LearningRate":
        """The schedule to train by, given the configured one."""
        return schedule


class Ema(Options):
    """Exponential moving average of the weights, with a warm-up of the decay."""

    name: Literal["ema"] = "ema"
    decay: float = Field(default=0.995, ge=0.0, lt=1.0)
    every_steps: int = Field(default=5, ge=1)

    def build(self, model: "nn.Module", num_epochs: int) -> "WeightAverage":
        from audiocls.optim import averaging

        return averaging.MovingAverage(model, self.decay, self.every_steps)

    def drive(
        self,
        schedule: "LearningRate",
        optimizer: "Optimizer",
        num_epochs: int,
        steps_an_epoch: int,
    ) -> "LearningRate":
        """The schedule to train by, given the configured one."""
        return schedule


class Swa(Options):
    """Stochastic weight averaging: the mean of the last epochs' weights (Izmailov et al., 2018)."""

    name: Literal["swa"] = "swa"
    start: float = Field(default=0.8, ge=0.0, lt=1.0)
    """Share of the epochs that pass before averaging begins; at least one is averaged."""
    lr: float = Field(default=1e-2, gt=0.0)
    """Learning rate while averaging, whatever the schedule."""
    anneal_epochs: int = Field(default=10, ge=0)
    """Epochs on the way, by half a cosine, from the schedule's rate to `lr`."""

    def num_before(self, num_epochs: int) -> int:
        """Epochs that are not averaged.

        >>> [Swa(start=0.75).num_before(num_epochs) for num_epochs in (1, 2, 20)]
        [0, 1, 15]
        """
        return min(round(self.start * num_epochs), num_epochs - 1)

    def build(self, model: "nn.Module", num_epochs: int) -> "WeightAverage":
        from audiocls.optim import averaging

        return averaging.EpochAverage(model, self.num_before(num_epochs))

    def drive(
        self,
        schedule: "LearningRate",
        optimizer: "Optimizer",
        num_epochs: int,
        steps_an_epoch: int,
    ) -> "LearningRate":
        """The schedule to train by: the configured one, and `lr` once averaging has begun."""
        from audiocls.optim.swa_rate import SwaRate

        num_before = self.num_before(num_epochs) * steps_an_epoch
        num_anneal = self.anneal_epochs * steps_an_epoch
        return SwaRate(schedule, optimizer, num_before, num_anneal, self.lr)


Averaging = Annotated[NoAveraging | Ema | Swa, Field(discriminator="name")]
