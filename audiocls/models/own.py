"""Options of anybody's model, `name: "package.module:attribute"` (torch-free)."""

from typing import TYPE_CHECKING, ClassVar

from audiocls.errors import ConfigError
from audiocls.parts import Call, OwnPart
from audiocls.parts.own import is_options, parameters_of

if TYPE_CHECKING:
    from torch import nn


class OwnModel(OwnPart):
    """A model of your own, called (in_channels or in_shape, num_classes, **options).

    Its module maps features (B, C, L) to logits (B, K). Call the last layer `head` where weights
    are to be transferred to other classes. Whether it takes the features of the recipe is found
    out on two clips before the first trial.
    """

    CALL: ClassVar = Call(
        "models",
        "model",
        ("in_channels", "in_shape", "num_classes"),
        (("in_channels", "in_shape"), ("num_classes",)),
    )

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return nothing: what it can take is known once it is built."""
        return []

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` for a part that makes none."""
        from torch import nn

        part = self.load()
        arguments = self.arguments(part)
        if is_options(part):
            made = part(**arguments).build(in_shape, num_classes)
        else:
            is_whole = "in_shape" in parameters_of(part)
            shape = {"in_shape": in_shape} if is_whole else {"in_channels": in_shape[0]}
            made = part(**shape, num_classes=num_classes, **arguments)
        if not isinstance(made, nn.Module):
            fault = f"makes {type(made).__name__}; wanted: a torch.nn.Module"
            raise ConfigError(self.what, [fault])
        return made
