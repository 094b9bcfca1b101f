"""A trained checkpoint as a teacher: logits of the very waves that its student learns from."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from audiocls.audio.batches import Sounds
from audiocls.config import Config
from audiocls.errors import ConfigError
from audiocls.train.checkpoint import Checkpoint, load_checkpoint


def teacher_of(config: Config, sounds: Sounds) -> Callable[[Tensor], Tensor] | None:
    """Waves (B, T) to the teacher's logits (B, K), or nothing if none is configured.

    Raises `ConfigError` if the two cannot hear the same clips or tell the same classes.
    """
    if config.distil.teacher is None:
        return None
    checkpoint = load_checkpoint(Path(config.distil.teacher))
    if faults := _differences(checkpoint, config, sounds):
        raise ConfigError(f"distil.teacher {config.distil.teacher}", faults)
    front_end = checkpoint.front_end.to(sounds.device)
    classifier = checkpoint.classifier.to(sounds.device)

    @torch.no_grad()
    def logits(waves: Tensor) -> Tensor:
        return torch.as_tensor(classifier(front_end(waves)))

    return logits


def _differences(checkpoint: Checkpoint, config: Config, sounds: Sounds) -> list[str]:
    theirs = checkpoint.config
    facts = {
        "classes": (checkpoint.labels, sounds.table.labels),
        "sample rate": (theirs.data.sample_rate, sounds.sample_rate),
        "samples a clip": (checkpoint.num_samples, sounds.num_samples),
        "wave normalisation": (theirs.features.wave_normalise, config.features.wave_normalise),
    }
    return [
        f"{name}: the teacher has {its!r}, this trial {own!r}; they must be the same"
        for name, (its, own) in facts.items()
        if its != own
    ]
