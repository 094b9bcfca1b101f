"""The short-time Fourier transform as a convolution, for runtimes whose own is slow or inexact.

Legend: B batch, T samples, N frequency bins, L frames.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class StftByKernels(TorchFunctionMode):
    """A context in which `torch.stft` is `stft` below, unless `n_fft` is a power of two.

    onnxruntime transforms powers of two as exactly as torch does; at `n_fft` 400 the logarithms of
    its result were off by 0.2 where torch's are by 0.002, and took 9 times as long as this
    convolution. Kernels grow with the square of `n_fft`, so they replace only these transforms.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.stft and not _is_power_of_two(args[1]):
            return stft(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def stft(
    waveforms: Tensor,
    n_fft: int,
    hop_length: int,
    *,
    win_length: int,
    window: Tensor,
    return_complex: bool,
    center: bool = True,
    pad_mode: str = "reflect",
    **defaults: bool | None,
) -> Tensor:
    """Return `torch.stft` as front ends call it; each bin is convolved with a cosine and a sine.

    Args:
        n_fft: samples per frame, even or odd; `hop_length` and `win_length` are samples as well.

    Shape: waveforms (B, T), window (win_length,) → (B, N, L) complex

    >>> waveforms, window = torch.ones(1, 30), torch.hann_window(6)
    >>> options = dict(win_length=6, window=window, return_complex=True)
    >>> expected = torch.stft(waveforms, 6, 3, **options)
    >>> stft(waveforms, 6, 3, **options).allclose(expected, atol=1e-6)
    True
    """
    is_known_use = center and return_complex and not any(defaults.values())
    assert is_known_use, f"a front end calls torch.stft as nothing here can: {defaults}"
    before = (n_fft - win_length) // 2
    kernels = _kernels(n_fft) * F.pad(window, (before, n_fft - win_length - before))
    padded = F.pad(waveforms.unsqueeze(1), (n_fft // 2, n_fft // 2), mode=pad_mode)
    real, imaginary = F.conv1d(padded, kernels.unsqueeze(1), stride=hop_length).chunk(2, dim=1)
    return torch.complex(real, imaginary)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _kernels(n_fft: int) -> Tensor:
    """Return cosines above negative sines. Shape: → (2 · N, n_fft)

    A constant for the exporter, which would otherwise write their computation in float64 into the
    file.
    """
    bins, samples = np.arange(n_fft // 2 + 1)[:, None], np.arange(n_fft)
    # The product is reduced modulo n_fft as an integer: the sine of a large angle loses digits.
    angles = 2 * math.pi * (bins * samples % n_fft) / n_fft
    return torch.from_numpy(np.concatenate([np.cos(angles), -np.sin(angles)]).astype(np.float32))


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
