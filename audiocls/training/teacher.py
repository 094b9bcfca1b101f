"""A trained checkpoint as a teacher: its logits of the augmented waveforms of the student's batch.

Legend: B batch, T samples, K classes.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from audiocls.audio.dataset import AudioDataset
from audiocls.config import Config
from audiocls.errors import ConfigError
from audiocls.parts import own_parts
from audiocls.training.checkpoint import load_checkpoint
from audiocls.training.checkpoint_metadata import CheckpointMetadata, teacher_incompatibilities


def teacher_of(config: Config, dataset: AudioDataset) -> Callable[[Tensor], Tensor]:
    """Return the function from waveforms to the logits of `config.distil.teacher`, which is given.

    Raises:
        UsageError: the teacher's checkpoint is missing or damaged.
        ConfigError: teacher and student differ in sample rate, clip length, waveform normalisation
            or classes.

    Shape: the function maps (B, T) → (B, K), without gradients
    """
    assert config.distil.teacher is not None
    checkpoint = load_checkpoint(
        Path(config.distil.teacher), [part.name for _, part in own_parts(config)]
    )
    theirs = CheckpointMetadata(checkpoint.config, checkpoint.labels)
    if problems := teacher_incompatibilities(theirs, config, dataset.table.labels):
        raise ConfigError(f"distil.teacher {config.distil.teacher}", problems)
    # The front end only, without the checkpoint's waveform normaliser: the batch is normalised
    # already, and normalising again would undo the gain of an augmentation.
    front_end = theirs.config.features.fixed_front_end(dataset.sample_rate).to(dataset.device)
    classifier = checkpoint.classifier.to(dataset.device)

    @torch.no_grad()
    def logits(waveforms: Tensor) -> Tensor:
        """Return the teacher's logits. Shape: (B, T) → (B, K)"""
        return torch.as_tensor(classifier(front_end(waveforms)))

    return logits
