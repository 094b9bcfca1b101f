"""Random gain and shift of waves, for a whole batch at once.

Legend: B batch, T samples.
"""

import torch
from torch import Tensor


def random_gain(waves: Tensor, gain_db: float, generator: torch.Generator) -> Tensor:
    """Each clip times its own gain, uniform in ±`gain_db` decibels.

    Shape: waves (B, T) → (B, T)
    """
    draws = torch.rand(len(waves), 1, generator=generator).to(waves.device)
    return waves * 10 ** ((2 * draws - 1) * gain_db / 20)


def random_shift(waves: Tensor, max_shift: int, generator: torch.Generator) -> Tensor:
    """Each clip moved by up to ±`max_shift` samples, the gap filled with zeros.

    Shape: waves (B, T) → (B, T)
    """
    num_samples = waves.shape[1]
    shifts = torch.randint(-max_shift, max_shift + 1, (len(waves), 1), generator=generator)
    source = torch.arange(num_samples) - shifts
    inside = (source >= 0) & (source < num_samples)
    gathered = waves.gather(1, source.clamp(0, num_samples - 1).to(waves.device))
    return gathered * inside.to(waves.device)
