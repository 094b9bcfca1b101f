"""`TrainingState`: what `fit` works on, built from a configuration and the sounds it names."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from audiocls.audio.augment.background import open_background
from audiocls.audio.batches import AudioDataset, Batching, num_batches
from audiocls.audio.clips import Split
from audiocls.audio.features.normalise import Standardise
from audiocls.config import Config
from audiocls.errors import ConfigError, DataError
from audiocls.optim.averaging import WeightAverage
from audiocls.optim.schedules import LearningRate
from audiocls.optim.stepping import OptimizerStep, stepper
from audiocls.seeding import seed_of
from audiocls.training.budget import require_within
from audiocls.training.classifier import Classifier
from audiocls.training.init_from import (
    Transfer,
    Weights,
    freeze,
    load_matching_weights,
    weights_from,
)
from audiocls.training.objective import Classes, Codes, JointObjective, Objective
from audiocls.training.teacher import teacher_of


@dataclass(frozen=True)
class TrainingState:
    """A trial ready for its first step."""

    config: Config
    sounds: AudioDataset
    split: Split
    classifier: Classifier
    optimizer: torch.optim.Optimizer
    schedule: LearningRate
    stepper: OptimizerStep
    averaging: WeightAverage
    objective: Objective
    batching: Batching
    device: torch.device
    transfers: tuple[Transfer, ...] = ()
    """What was taken from where, before the first step."""

    def seed(self, purpose: str, epoch: int = 0) -> int:
        """The seed of one purpose, shared by all arms of this trial's block."""
        return seed_of(self.config.seed, self.config.fold, purpose, epoch)

    def evaluated(self) -> Classifier:
        """What is scored and saved: the averaged weights, or the ones that are trained."""
        return cast(Classifier, self.averaging.evaluated())


def build(
    config: Config,
    sounds: AudioDataset,
    pretrained: Weights | None = None,
    split: Split | None = None,
    learns_codes: bool = False,
) -> TrainingState:
    """Everything `fit` needs; raises `ConfigError` or `DataError` before the first step.

    `pretrained` are the weights that the pre-training stage left. That stage itself has a `split`
    of its own, and may learn codes rather than classes.
    """
    device = sounds.device
    _require_precision(config, device)
    split = split or _split(config, sounds)
    classifier = _classifier(config, sounds, split.train)
    transfers = _take(classifier, config, pretrained, sounds.table.labels)
    require_within(config, classifier, len(sounds.table.labels))
    classifier.to(device)
    optimizer = config.optim.build(classifier)
    batches_an_epoch = num_batches(len(split.train), config.train.batch_size)
    steps_an_epoch = num_batches(batches_an_epoch, config.train.accumulate)
    schedule = config.schedule.build(optimizer, config.train.epochs, steps_an_epoch)
    schedule = config.averaging.drive(schedule, optimizer, config.train.epochs, steps_an_epoch)
    return TrainingState(
        config=config,
        sounds=sounds,
        split=split,
        classifier=classifier,
        optimizer=optimizer,
        schedule=schedule,
        stepper=stepper(config.sam, classifier, optimizer),
        averaging=config.averaging.build(classifier, config.train.epochs),
        objective=Codes(config.train) if learns_codes else _objective(config, sounds),
        batching=_batching(config, sounds),
        device=device,
        transfers=transfers,
    )


def resolve_device(name: str) -> torch.device:
    """`auto` is the accelerator that CUDA sees, or else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("device", [f"got {name}, but torch sees no GPU; allowed: auto, cpu"])
    return torch.device(name)


def _require_precision(config: Config, device: torch.device) -> None:
    is_missing = device.type == "cuda" and not torch.cuda.is_bf16_supported()
    if config.train.precision == "bf16" and is_missing:
        fault = f"precision: got bf16, which {torch.cuda.get_device_name(device)} lacks; use fp32"
        raise ConfigError("train", [fault])


def _split(config: Config, sounds: AudioDataset) -> Split:
    split = sounds.table.split(config.fold)
    for name, clips in (("training", split.train), ("validation", split.val), ("test", split.test)):
        if len(clips) == 0:
            raise DataError(f"fold {config.fold} of {config.data.name} has no {name} clips")
    return split


def _classifier(config: Config, sounds: AudioDataset, train: NDArray[np.int64]) -> Classifier:
    in_shape = config.features.shape(sounds.num_samples)
    torch.manual_seed(seed_of(config.seed, config.fold, "init"))
    model = config.model.build(in_shape, len(sounds.table.labels))
    is_standardised = config.features.uses_training_statistics
    standardise = sounds.standardise(train) if is_standardised else Standardise(in_shape[0])
    # Built after the model, so that arms with another front end share the model's first weights.
    front = config.features.learned_front_end(sounds.sample_rate)
    return Classifier(front, standardise.cpu(), model)


def _take(
    classifier: Classifier, config: Config, pretrained: Weights | None, labels: tuple[str, ...]
) -> tuple[Transfer, ...]:
    """Weights trained earlier, the pre-training stage's over the checkpoint's."""
    sources = [] if config.init_from is None else [weights_from(Path(config.init_from))]
    sources += [] if pretrained is None else [pretrained]
    transfers = tuple(load_matching_weights(classifier, weights, labels) for weights in sources)
    if config.freeze:
        freeze(classifier, {name for transfer in transfers for name in transfer.taken})
    return transfers


def _objective(config: Config, sounds: AudioDataset) -> Objective:
    teacher = teacher_of(config, sounds)
    classes = Classes(config.train, sounds.table.is_multi_label, teacher, config.distil)
    if config.ssl.mode == "joint":
        return JointObjective(classes, Codes(config.train), config.ssl.weight)
    return classes


def _batching(config: Config, sounds: AudioDataset) -> Batching:
    folder = config.augment.background
    noise = open_background(Path(folder), sounds.sample_rate) if folder else None
    return Batching(
        batch_size=config.train.batch_size,
        augment=config.augment,
        background=None if noise is None else noise.to(sounds.device),
        is_balanced=config.train.balanced,
        is_union=config.train.loss == "bce",
        keeps_waveforms=config.distil.teacher is not None,
    )
