"""What can be done to waves sample by sample: shift, roll, a segment, levels.

Nothing here is random but the two `random_…` at the end.

Legend: B batch, T samples, S samples of a segment or of a longer wave.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def windows(waves: Tensor, starts: Tensor, num_samples: int) -> Tensor:
    """`num_samples` of each wave from its own start; without an index for every sample.

    Shape: waves (B, S), starts (B,) in 0 … S - T → (B, T)

    >>> windows(torch.arange(5.0).expand(2, 5), torch.tensor([0, 3]), 2)
    tensor([[0., 1.],
            [3., 4.]])
    """
    rows = torch.arange(len(waves), device=waves.device)
    return waves.unfold(1, num_samples, 1)[rows, starts]


def time_shift(waves: Tensor, shifts: Tensor, bound: int) -> Tensor:
    """Moved later by `shifts` samples (earlier if negative), none beyond `bound`; zeros fill.

    Shape: waves (B, T), shifts (B,) → (B, T)

    >>> time_shift(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([-1]), bound=2)
    tensor([[2., 3., 0.]])
    """
    return windows(pad(waves, (bound, bound)), bound - shifts, waves.shape[1])


def rolled(waves: Tensor, shifts: Tensor) -> Tensor:
    """Moved later by `shifts` samples; what leaves at the end comes back at the beginning.

    Shape: waves (B, T), shifts (B,) → (B, T)

    >>> rolled(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([1]))
    tensor([[3., 1., 2.]])
    """
    num_samples = waves.shape[1]
    return windows(torch.cat([waves, waves], dim=1), -shifts % num_samples, num_samples)


def segments(starts: Tensor, length: int) -> Tensor:
    """Indices of `length` samples from each start, for `gather` and `scatter`.

    Shape: starts (B, 1) → (B, S)

    >>> segments(torch.tensor([[4], [0]]), 3)
    tensor([[4, 5, 6],
            [0, 1, 2]])
    """
    return starts + torch.arange(length, device=starts.device)


def rms(waves: Tensor) -> Tensor:
    """Root of the mean square, the level that loudness and SNR compare.

    Shape: (B, T) → (B, 1)

    >>> rms(torch.tensor([[3.0, -3.0]]))
    tensor([[3.]])
    """
    norms: Tensor = torch.linalg.vector_norm(waves, dim=1, keepdim=True)
    return norms / math.sqrt(waves.shape[1])


def ratio_or_zero(numerator: Tensor, denominator: Tensor) -> Tensor:
    """A ratio of levels, 0 where the denominator is silence.

    Shape: (B, 1), (B, 1) → (B, 1)

    >>> ratio_or_zero(torch.tensor([[3.0], [3.0]]), torch.tensor([[2.0], [0.0]]))
    tensor([[1.5000],
            [0.0000]])
    """
    is_silent = denominator == 0
    return torch.where(is_silent, 0.0, numerator / denominator.masked_fill(is_silent, 1.0))


def companded(waves: Tensor, levels: int = 256) -> Tensor:
    """μ-law (ITU-T G.711's curve): `levels` steps, finer around silence; clips beyond ±1.

    Silence becomes the level next to it, 86 millionths of full scale.

    Shape: (B, T) → (B, T)

    >>> companded(torch.tensor([[-1.0, 0.0, 1.0]]))
    tensor([[-1.0000e+00,  8.6213e-05,  1.0000e+00]])
    """
    mu = levels - 1.0
    compressed = waves.sign() * torch.log1p(mu * waves.abs().clamp(max=1.0)) / math.log1p(mu)
    steps = ((compressed + 1) / 2 * mu + 0.5).floor() / mu * 2 - 1
    return steps.sign() * torch.expm1(steps.abs() * math.log1p(mu)) / mu
