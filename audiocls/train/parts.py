"""`Parts`: what `fit` works on, built from a configuration and the sounds it names."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from audiocls.audio.batches import Sounds, num_batches
from audiocls.audio.clips import Split
from audiocls.audio.features.standardise import Standardise
from audiocls.config import Config
from audiocls.errors import DataError
from audiocls.optim.stepping import Stepper, stepper
from audiocls.seeding import seed_of
from audiocls.train.classifier import Classifier


@dataclass(frozen=True)
class Parts:
    """A trial ready for its first step."""

    config: Config
    sounds: Sounds
    split: Split
    classifier: Classifier
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    stepper: Stepper
    device: torch.device

    def seed(self, purpose: str, epoch: int = 0) -> int:
        """The seed of one purpose, shared by all arms of this trial's block."""
        return seed_of(self.config.seed, self.config.fold, purpose, epoch)


def build(config: Config, sounds: Sounds) -> Parts:
    """Everything `fit` needs; raises `ConfigError` or `DataError` before the first step."""
    device = resolve_device(config.device)
    split = _split(config, sounds)
    classifier = _classifier(config, sounds, split.train).to(device)
    optimizer = config.optim.build(classifier)
    steps_an_epoch = num_batches(len(split.train), config.train.batch_size)
    return Parts(
        config=config,
        sounds=sounds,
        split=split,
        classifier=classifier,
        optimizer=optimizer,
        schedule=config.schedule.build(optimizer, config.train.epochs, steps_an_epoch),
        stepper=stepper(config.sam, classifier, optimizer),
        device=device,
    )


def resolve_device(name: str) -> torch.device:
    """`auto` is the accelerator that CUDA sees, or else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _split(config: Config, sounds: Sounds) -> Split:
    split = sounds.table.split(config.fold)
    for name, clips in (("training", split.train), ("validation", split.val), ("test", split.test)):
        if len(clips) == 0:
            raise DataError(f"fold {config.fold} of {config.data.name} has no {name} clips")
    return split


def _classifier(config: Config, sounds: Sounds, train: NDArray[np.int64]) -> Classifier:
    in_shape = config.features.shape(sounds.num_samples)
    torch.manual_seed(seed_of(config.seed, config.fold, "init"))
    model = config.model.build(in_shape, len(sounds.table.labels))
    if not config.features.uses_training_statistics:
        return Classifier(Standardise(in_shape[0]), model)
    return Classifier(sounds.standardise(train), model)
