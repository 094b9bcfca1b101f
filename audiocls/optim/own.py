"""Options of anybody's optimiser and schedule, `name: "package.module:attribute"` (torch-free)."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from audiocls.errors import ConfigError
from audiocls.optim.groups import parameter_groups
from audiocls.optim.schedules import LearningRate, PerStep
from audiocls.parts import Call, OwnPart

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class OwnOptim(OwnPart):
    """An optimiser of your own, called (params, lr, **options).

    With `weight_decay` among the options, `params` are two groups, of which the second (biases,
    scales of normalisations) has none; without, they are a list and the optimiser's own default
    holds for all. It must step without a closure.
    """

    CALL: ClassVar = Call("optimizers", "optim", ("params", "lr"), (("lr",),), 1, makes=True)

    lr: float = Field(default=1e-3, gt=0.0)
    """Peak learning rate; the schedule scales it."""

    def build(self, model: "nn.Module") -> "Optimizer":
        """Return the optimiser of the trainable parameters of `model`."""
        from torch.optim import Optimizer

        part = self.load()
        arguments = {"lr": self.lr} | self.arguments(part)
        decay = arguments.get("weight_decay")
        groups = parameter_groups(model, arguments["lr"], decay)
        is_plain = decay is None and "lr_scale" not in groups[0]
        trained = [p for p in model.parameters() if p.requires_grad]
        made = part(trained if is_plain else groups, **arguments)
        if not isinstance(made, Optimizer):
            fault = f"makes {type(made).__name__}; wanted: a torch.optim.Optimizer"
            raise ConfigError(self.what, [fault])
        return made


class OwnSchedule(OwnPart):
    """A schedule of your own, called (optimizer, num_epochs, epoch_steps, **options).

    It makes a scheduler of torch that is stepped after every optimiser step, or a function from
    the number of steps to the factor of `optim.lr`. A parameter that it does not name is not
    passed.
    """

    CALL: ClassVar = Call("schedules", "schedule", ("optimizer", "num_epochs", "epoch_steps"))

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> LearningRate:
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from torch.optim.lr_scheduler import LRScheduler

        from audiocls.optim.scaled_rate import ScaledRate
        from audiocls.parts.own import parameters_of

        part = self.load()
        facts = {"optimizer": optimizer, "num_epochs": num_epochs, "epoch_steps": epoch_steps}
        taken = parameters_of(part)
        given = {name: value for name, value in facts.items() if name in taken}
        made = part(**given, **self.arguments(part))
        if isinstance(made, LRScheduler):
            return PerStep(made)
        if not callable(made):
            fault = f"makes {type(made).__name__}; wanted: a scheduler of torch, or a function "
            raise ConfigError(self.what, [f"{fault}from the number of steps to a factor"])
        return ScaledRate(optimizer, lambda step: float(made(step)))
