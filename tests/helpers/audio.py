"""Signals whose content is known, and files of them.

B clips, T samples.
"""

import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

RECORDINGS = Path(__file__).parents[3] / "shared" / "data"
"""Real recordings, which a checkout may lack."""
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings beside")

Samples = np.ndarray[Any, np.dtype[np.floating[Any]]]


def sine(
    frequency: float, sample_rate: int, num_samples: int | None = None, phase: float = 0.0
) -> Tensor:
    """Return a sine at full scale; `frequency` in Hz, one second unless `num_samples` is given.

    Shape: → (1, T)
    """
    time_s = torch.arange(num_samples or sample_rate, dtype=torch.float64) / sample_rate
    return torch.sin(2 * math.pi * frequency * time_s + phase).float()[None]


def white_noise(*shape: int, seed: int = 0) -> Tensor:
    """Return Gaussian white noise of standard deviation 1; also features without structure.

    Shape: → `shape`
    """
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def uniform_noise(*shape: int, peak: float = 0.5, seed: int = 0) -> Samples:
    """Return white noise that is uniform in ±`peak`.

    Shape: → `shape`
    """
    return np.random.default_rng(seed).uniform(-peak, peak, shape)


def write_wav(path: Path, samples: Samples, sample_rate: int) -> Path:
    """Write a file of 16 bits; `samples` in ±1. Folders that lack are made.

    Shape: (T,) or (T, channels) →
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return path
