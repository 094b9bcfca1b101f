"""Optimisers, learning-rate schedules and SAM: what exists, with its options (torch-free).

The code lies in `optimizers.py`, `schedules.py` and `sam.py`.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from audiocls.part import Part

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

Beta = Annotated[float, Field(ge=0.0, lt=1.0)]


class AdamW(Part):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    name: Literal["adamw"] = "adamw"
    lr: float = Field(default=1e-3, gt=0.0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: float = Field(default=0.01, ge=0.0)

    def build(self, model: "nn.Module") -> "Optimizer":
        from audiocls.optim import optimizers

        return optimizers.adamw(model, self.lr, self.betas, self.weight_decay)


class Adam(Part):
    """Adam (Kingma and Ba, 2015); its `weight_decay` is an L2 penalty on the gradient."""

    name: Literal["adam"] = "adam"
    lr: float = Field(default=1e-3, gt=0.0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0.0)

    def build(self, model: "nn.Module") -> "Optimizer":
        from audiocls.optim import optimizers

        return optimizers.adam(model, self.lr, self.betas, self.weight_decay)


class SGD(Part):
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


class Constant(Part):
    """The learning rate stays where it is."""

    name: Literal["constant"] = "constant"

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LRScheduler":
        from audiocls.optim import schedules

        return schedules.constant(optimizer)


class Cosine(Part):
    """Linear warm-up, then a half cosine down to zero (Loshchilov and Hutter, 2017)."""

    name: Literal["cosine"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0.0)

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LRScheduler":
        from audiocls.optim import schedules

        warmup = round(self.warmup_epochs * steps_an_epoch)
        return schedules.warmup_cosine(optimizer, warmup, num_epochs * steps_an_epoch)


class OneCycle(Part):
    """Up to `optim.lr` and down again in one cycle (Smith and Topin, 2018)."""

    name: Literal["onecycle"] = "onecycle"
    pct_start: float = Field(default=0.3, gt=0.0, lt=1.0)

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LRScheduler":
        from audiocls.optim import schedules

        return schedules.one_cycle(optimizer, self.pct_start, num_epochs * steps_an_epoch)


class Step(Part):
    """The learning rate times `gamma` every `every_epochs` epochs."""

    name: Literal["step"] = "step"
    every_epochs: int = Field(default=10, ge=1)
    gamma: float = Field(default=0.1, gt=0.0, le=1.0)

    def build(self, optimizer: "Optimizer", num_epochs: int, steps_an_epoch: int) -> "LRScheduler":
        from audiocls.optim import schedules

        return schedules.step(optimizer, self.every_epochs * steps_an_epoch, self.gamma)


Schedule = Annotated[Constant | Cosine | OneCycle | Step, Field(discriminator="name")]


class Sam(Part):
    """Sharpness-aware minimisation around any optimiser (Foret et al., 2021); 0 switches it off."""

    rho: float = Field(default=0.0, ge=0.0)
    """Radius of the neighbourhood in the norm of all weights; each step costs two gradients."""
