"""A trained checkpoint as a teacher: logits of the very waves that its student learns from.

Legend: B batch, T samples, K classes.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from audiocls.audio.batches import AudioDataset
from audiocls.config import Config
from audiocls.errors import ConfigError
from audiocls.training.checkpoint import load_checkpoint
from audiocls.training.checkpoint_metadata import Description, teacher_incompatibilities


def teacher_of(config: Config, sounds: AudioDataset) -> Callable[[Tensor], Tensor] | None:
    """Waves (B, T) to the teacher's logits (B, K), or nothing if none is configured.

    The waves are normalised already, and then perhaps augmented and mixed: the teacher does not
    normalise them again, which would undo a gain that its student hears.

    Raises `ConfigError` if the two cannot hear the same clips or tell the same classes.
    """
    if config.distil.teacher is None:
        return None
    checkpoint = load_checkpoint(Path(config.distil.teacher))
    theirs = Description(checkpoint.config, checkpoint.labels)
    if faults := teacher_incompatibilities(theirs, config, sounds.table.labels):
        raise ConfigError(f"distil.teacher {config.distil.teacher}", faults)
    front_end = theirs.config.features.fixed_front_end(sounds.sample_rate).to(sounds.device)
    classifier = checkpoint.classifier.to(sounds.device)

    @torch.no_grad()
    def logits(waves: Tensor) -> Tensor:
        return torch.as_tensor(classifier(front_end(waves)))

    return logits
