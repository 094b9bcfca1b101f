"""Per-channel energy normalisation (PCEN) with every constant learned.

Wang et al., "Trainable frontend for robust and far-field keyword spotting" (ICASSP 2017,
arXiv 1607.05666); with the smoothing learned too as in LEAF (arXiv 2101.08596, section 3.3).

Legend: B batch, C channels, L frames, K blocks of frames.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCK = 64
"""Frames smoothed by one matrix product."""
LEAST_DELTA = 1e-3
"""Smallest δ: at δ = 0 the slope of the root at silence is infinite."""


class PCEN(nn.Module):
    """(E / (floor + M)^α + δ)^(1/r) − δ^(1/r), where M is the moving average of E by s.

    With α near 1 a change of level cancels. Constraints: α ≤ 1, r ≥ 1, s in [0, 1], δ ≥ 0.001.
    The defaults are LEAF's initial values.

    Shape: power (B, C, L) → (B, C, L)

    >>> PCEN(3)(torch.zeros(2, 3, 100)).abs().max().item()
    0.0
    """

    def __init__(
        self,
        num_channels: int,
        alpha: float = 0.96,
        smooth: float = 0.04,
        delta: float = 2.0,
        root: float = 2.0,
        floor: float = 1e-6,
    ):
        super().__init__()
        self.floor = floor
        self.alpha = nn.Parameter(torch.full((num_channels,), alpha))
        self.smooth = nn.Parameter(torch.full((num_channels,), smooth))
        self.delta = nn.Parameter(torch.full((num_channels,), delta))
        self.root = nn.Parameter(torch.full((num_channels,), root))

    def forward(self, power: Tensor) -> Tensor:
        alpha = self.alpha.clamp(max=1.0)[:, None]
        delta = self.delta.clamp(min=LEAST_DELTA)[:, None]
        exponent = 1 / self.root.clamp(min=1.0)[:, None]
        loudness = moving_average(power, self.smooth.clamp(0.0, 1.0))
        level = power / (self.floor + loudness) ** alpha
        return (level + delta) ** exponent - delta**exponent


def moving_average(x: Tensor, s: Tensor) -> Tensor:
    """Compute the exponential moving average y(t) = (1 − s)·y(t−1) + s·x(t), y(0) = x(0).

    Shape: x (B, C, L), s (C,) in [0, 1] → (B, C, L)

    >>> moving_average(torch.tensor([[[1.0, 0.0, 0.0]]]), torch.tensor([0.5]))
    tensor([[[1.0000, 0.5000, 0.2500]]])
    """
    driven = torch.cat([x[..., :1], s[:, None] * x[..., 1:]], dim=-1)
    return decaying_sum(driven, 1 - s)


def decaying_sum(x: Tensor, decay: Tensor) -> Tensor:
    """Compute y(t) = decay·y(t−1) + x(t), y(−1) = 0, without a loop over frames.

    Shape: x (B, C, L), decay (C,) in [0, 1] → (B, C, L)
    """
    # Within a block of 64 frames y is a lower triangular matrix of powers of the decay times x.
    # The last values of the blocks follow the same recurrence with decay⁶⁴, solved by recursion:
    # two matrix products per level, log₆₄ L levels. All powers are non-negative ones of numbers up
    # to 1, so that nothing overflows at any length; dividing a cumulative sum by them would.
    length = x.shape[-1]
    blocks = F.pad(x, (0, -length % BLOCK)).view(*x.shape[:-1], -1, BLOCK)
    within = torch.einsum("cij,bckj->bcki", _decay_matrix(decay), blocks)
    if length > BLOCK:
        ends = decaying_sum(within[..., :-1, -1], decay**BLOCK)
        carried = F.pad(ends, (1, 0)).unsqueeze(-1)
        within = within + carried * _powers(decay)[:, None, 1:]
    return within.flatten(-2)[..., :length]


def _decay_matrix(decay: Tensor) -> Tensor:
    """Return decay^(i − j) for i ≥ j, else 0.

    Shape: (C,) → (C, BLOCK, BLOCK)
    """
    index = torch.arange(BLOCK, device=decay.device)
    steps = index[:, None] - index
    return (_powers(decay)[:, steps.clamp(min=0)]).masked_fill(steps < 0, 0)


def _powers(decay: Tensor) -> Tensor:
    """Return decay to the powers 0 … BLOCK.

    Shape: (C,) → (C, BLOCK + 1)
    """
    return decay[:, None] ** torch.arange(BLOCK + 1, device=decay.device)
