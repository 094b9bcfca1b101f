"""Anybody's loss and metric, `"package.module:attribute"` (torch-free).

Legend: B batch, N clips, K classes.
"""

from typing import TYPE_CHECKING, ClassVar

from audiocls.errors import ConfigError
from audiocls.parts import Call, OwnPart
from audiocls.parts.names import short_name

if TYPE_CHECKING:
    from torch import Tensor


class OwnLoss(OwnPart):
    """A loss of your own, called (logits, targets, **options): one number a clip.

    Targets are class numbers, or a share of each class where clips are mixed, labels smoothed, or
    clips have several labels.

    Shape: logits (B, K), targets (B,) int64 or (B, K) float → (B,)
    """

    CALL: ClassVar = Call("losses", "loss", ("logits", "targets"), num_positional=2)

    def of(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the mean over the batch. Shape: logits (B, K), targets (B,) or (B, K) → ()"""
        import torch

        losses = self.function()(logits, targets)
        if not isinstance(losses, torch.Tensor) or losses.shape != logits.shape[:1]:
            is_tensor = isinstance(losses, torch.Tensor)
            got = tuple(losses.shape) if is_tensor else type(losses).__name__
            fault = f"makes {got} of logits {tuple(logits.shape)}; wanted: one number a clip, "
            raise ConfigError(self.what, [f"{fault}({len(logits)},), without a mean"])
        return losses.mean()


class OwnMetric(OwnPart):
    """A metric of your own, called (logits, targets, **options), on all clips at once.

    Recorded under its attribute's name, or a plugin's own: `test/cmap` of `my_pkg.metrics:cmap`.

    Shape: logits (N, K) float32, targets (N,) int64 or (N, K) of 0 and 1 → a number
    """

    CALL: ClassVar = Call("metrics", "metric", ("logits", "targets"), num_positional=2)

    @property
    def short(self) -> str:
        """Its name in records."""
        return short_name(self.name)

    def of(self, logits: "Tensor", targets: "Tensor") -> float:
        """Return the metric. Shape: logits (N, K), targets (N,) or (N, K)"""
        value = self.function()(logits, targets)
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            fault = f"gives a {type(value).__name__}; wanted: one number"
            raise ConfigError(self.what, [fault]) from error
