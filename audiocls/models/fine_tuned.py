"""`FineTuned`: an encoder with a new last layer, of which some is trained.

Legend: B batch, C channels, L frames, D width, K classes.
"""

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from audiocls.encoders.adapters import adapt
from audiocls.encoders.depth import rate_scales, trained_from
from audiocls.models.fine_tuning import FineTuning


class FineTuned(nn.Module):
    """An encoder, its frames pooled, dropout, one Linear.

    A frozen encoder stays in evaluation mode: neither its dropout nor its statistics move.

    Args:
        encoder: features (B, C, L) → frames (B, L, D).
        depths: of its parameters.
        width: D.

    Shape: (B, C, L) → (B, K)
    """

    def __init__(
        self,
        encoder: nn.Module,
        depths: Mapping[str, int],
        width: int,
        num_classes: int,
        options: FineTuning,
    ):
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(width * (2 if options.pool == "mean_max" else 1), num_classes)
        self.options = options
        self._scales = rate_scales(depths, options.lr_decay)
        self._is_waiting = options.head_epochs > 0
        self._train_from(depths)

    def _train_from(self, depths: Mapping[str, int]) -> None:
        lora = self.options.lora
        if lora.rank:
            adapt(self.encoder, lora.rank, lora.alpha, lora.dropout)
            return
        first = trained_from(depths, self.options.unfreeze)
        for name, parameter in self.encoder.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and depths[name] >= first)

    @property
    def is_frozen(self) -> bool:
        """Whether nothing of the encoder is trained in this epoch."""
        return self._is_waiting or not any(p.requires_grad for p in self.encoder.parameters())

    def begin_epoch(self, epoch: int) -> None:
        """Train what is to be trained in epoch `epoch`, counted from 0."""
        self._is_waiting = epoch < self.options.head_epochs

    def train(self, mode: bool = True) -> "FineTuned":
        """Set the mode of all but a frozen encoder."""
        super().train(mode)
        self.encoder.train(mode and not self.is_frozen)
        return self

    def rate_scales(self) -> dict[str, float]:
        """Return the factor of `optim.lr` for each trained parameter, by its name."""
        head = {f"head.{name}": self.options.head_lr for name, _ in self.head.named_parameters()}
        inside = {
            f"encoder.{name}": self._scale_of(name)
            for name, parameter in self.encoder.named_parameters()
            if parameter.requires_grad
        }
        return {**inside, **head}

    def _scale_of(self, name: str) -> float:
        """Return a parameter's factor; a low-rank branch has that of the layer that it adapts."""
        if name in self._scales:
            return self._scales[name]
        layer = name.partition(".lora_")[0]
        return next(s for known, s in self._scales.items() if known.startswith(f"{layer}."))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits. Shape: (B, C, L) → (B, K)"""
        with torch.no_grad() if self.is_frozen else nullcontext():
            frames = self.encoder(features)
        return torch.as_tensor(self.head(self.dropout(pooled(frames, self.options.pool))))


def pooled(frames: Tensor, pool: str) -> Tensor:
    """Return the mean over frames, the maximum, or both. Shape: (B, L, D) → (B, D) or (B, 2 · D)"""
    if pool == "mean":
        return frames.mean(1)
    if pool == "max":
        return frames.amax(1)
    return torch.cat([frames.mean(1), frames.amax(1)], dim=1)
