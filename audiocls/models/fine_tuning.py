"""Options of a pretrained encoder that is trained on (torch-free); `fine_tuned.py` builds it."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from audiocls.encoders import Pretrained
from audiocls.models.options import Dropout
from audiocls.options import Options


class Lora(Options):
    """Low-rank adaptation: the encoder is frozen, its attention gets small trained branches.

    Hu et al., 2022 (arXiv 2106.09685), of queries and values.
    """

    rank: int = Field(default=0, ge=0)
    """Rank of each branch; 0 is without."""
    alpha: int = Field(default=16, ge=1)
    """A branch is scaled by `alpha` / `rank`."""
    dropout: Dropout = 0.0
    """Probability of dropout before each branch."""

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "Lora":
        if self.rank == 0 and self.changed():
            raise ValueError("alpha and dropout have no effect at rank 0; set lora.rank")
        return self


class FineTuning(Pretrained):
    """What of an encoder is trained, from when on, and how fast."""

    weights: Literal["pretrained", "random"] = "pretrained"
    """`random` is the same network from scratch."""
    pool: Literal["mean", "max", "mean_max"] = "mean"
    """Over the frames of the encoder's last layer."""
    dropout: Dropout = 0.0
    """Probability of dropout before the last layer."""
    unfreeze: Literal["all", "head"] | PositiveInt = "all"
    """What is trained beside the last layer: the whole encoder, nothing, or its last n layers."""
    head_epochs: int = Field(default=0, ge=0)
    """Epochs at the beginning in which the last layer alone is trained."""
    lr_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Factor of the learning rate from each layer to the one below it; the last has `optim.lr`."""
    head_lr: float = Field(default=1.0, gt=0.0)
    """Learning rate of the last layer, times `optim.lr`."""
    lora: Lora = Lora()
    checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, about
    a third more time, the same gradients."""

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "FineTuning":
        changed = self.changed()
        if self.lora.rank and "unfreeze" in changed:
            raise ValueError("unfreeze: has no effect with lora.rank, which freezes the encoder")
        if self.lora.rank and self.weights == "random":
            raise ValueError("lora.rank: adapts pretrained weights, and weights are random")
        if self.unfreeze == "head" and (
            idle := {"head_epochs", "lr_decay", "checkpointing"} & changed
        ):
            raise ValueError(f"{', '.join(sorted(idle))}: no effect while unfreeze is 'head'")
        return self
