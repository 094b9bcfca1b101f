"""Labels for any audio file: any rate, any length, any number of channels.

Legend: W windows, T samples, K classes.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from audiocls.audio.decode import decode
from audiocls.audio.pack import resampled
from audiocls.train.checkpoint import Checkpoint


@dataclass(frozen=True)
class Prediction:
    """The likeliest label of one file, and every label's probability."""

    file: Path
    label: str
    probability: float
    probabilities: dict[str, float]


@torch.inference_mode()
def predict(checkpoint: Checkpoint, file: Path) -> Prediction:
    """Classify one file; raises `DataError` naming it if it cannot be decoded.

    A file longer than the clips of training is cut into windows of that length, the last of them
    padded with zeros, and the windows' probabilities are averaged.
    """
    wave = torch.from_numpy(resampled(decode(file), checkpoint.config.data.sample_rate))
    features = checkpoint.front_end(_windows(wave, checkpoint.num_samples))
    probabilities = checkpoint.classifier(features).softmax(1).mean(0)
    best = int(probabilities.argmax())
    return Prediction(
        file=file,
        label=checkpoint.labels[best],
        probability=float(probabilities[best]),
        probabilities=dict(zip(checkpoint.labels, probabilities.tolist(), strict=True)),
    )


def _windows(wave: Tensor, num_samples: int) -> Tensor:
    """Shape: wave (any,) → (W, T)."""
    num_windows = -(-len(wave) // num_samples)
    return F.pad(wave, (0, num_windows * num_samples - len(wave))).reshape(-1, num_samples)
