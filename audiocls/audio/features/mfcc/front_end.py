"""Mel-frequency cepstral coefficients, equal to torchaudio's MFCC with `log_mels=True`.

Legend: B batch, T samples, F mel bands, C coefficients, L frames.
"""

import math

import torch
from torch import Tensor, nn

from audiocls.audio.features.normalise import standardise


class MFCC(nn.Module):
    """Cosine transform over the bands of the front end `log_mel`, first `n_mfcc` terms.

    Shape: (B, T) → (B, C, L)

    >>> from audiocls.audio.features.logmel.front_end import LogMelFilterBanks
    >>> MFCC(LogMelFilterBanks(), n_mels=80, n_mfcc=13)(torch.zeros(2, 16000)).shape
    torch.Size([2, 13, 101])
    """

    cosines: Tensor

    def __init__(self, log_mel: nn.Module, n_mels: int, n_mfcc: int, normalise_clip: bool = False):
        super().__init__()
        self.log_mel, self.normalise_clip = log_mel, normalise_clip
        # Derived from the options: a checkpoint need not hold it.
        self.register_buffer("cosines", dct(n_mels)[:n_mfcc], persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            features = torch.matmul(self.cosines, self.log_mel(waveforms))
            return standardise(features, dims=(2,)) if self.normalise_clip else features


def dct(size: int) -> Tensor:
    """Return the orthonormal cosine transform of type II as a matrix.

    Its transpose is its inverse.

    Ahmed, Natarajan and Rao (1974).

    Shape: → (size, size)

    >>> dct(2) * 2**0.5
    tensor([[ 1.0000,  1.0000],
            [ 1.0000, -1.0000]])
    """
    # In float64: the cosines' arguments reach π · size.
    index = torch.arange(size, dtype=torch.float64)
    cosines = torch.cos(math.pi / size * torch.outer(index, index + 0.5)) * math.sqrt(2 / size)
    cosines[0] /= math.sqrt(2)
    return cosines.float()
