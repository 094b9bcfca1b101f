"""`TrainingState`: everything that `fit` updates and reads, built from a configuration.

Legend: N clips.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from audiocls.audio.augment.background import open_background
from audiocls.audio.batches import Batching, epoch_batches
from audiocls.audio.clips import Split
from audiocls.audio.dataset import AudioDataset, num_batches
from audiocls.audio.features.normalise import Standardise
from audiocls.audio.stored_features import StoredFeatures, store_features
from audiocls.audio.views import Views
from audiocls.config import Config
from audiocls.errors import DataError
from audiocls.optim.averaging import WeightAverage
from audiocls.optim.loss_scale import DynamicScaling, LossScaling, NoScaling
from audiocls.optim.optimizers import OptimizerStep, stepper
from audiocls.optim.schedules import LearningRate
from audiocls.seeding import seed_of
from audiocls.training.budget import require_within_budget
from audiocls.training.classifier import Classifier
from audiocls.training.contrastive import ContrastiveObjective, put_head
from audiocls.training.device import require_precision
from audiocls.training.init_from import (
    Transfer,
    Weights,
    freeze,
    load_matching_weights,
    weights_from,
)
from audiocls.training.micro_batches import MicroBatches
from audiocls.training.objective import (
    ClassObjective,
    CodeObjective,
    JointObjective,
    Objective,
)
from audiocls.training.ranks import ALONE, Ranks
from audiocls.training.teacher import teacher_of

T = TypeVar("T")


@dataclass(frozen=True)
class TrainingState:
    """A trial ready for its first step."""

    config: Config
    dataset: AudioDataset
    split: Split
    classifier: Classifier
    optimizer: torch.optim.Optimizer
    schedule: LearningRate
    stepper: OptimizerStep
    scaling: LossScaling
    averaging: WeightAverage
    objective: Objective
    batching: Batching
    ranks: Ranks = ALONE
    """The processes that share each batch."""
    stored: StoredFeatures | None = None
    """What the model takes of the training clips, where nothing random precedes it."""
    micro_batches: MicroBatches = field(default_factory=MicroBatches)
    transfers: tuple[Transfer, ...] = ()
    """Weights copied from a checkpoint or from pre-training, before the first step."""

    @cached_property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """All parameters of the classifier, listed once: the walk takes as long as their norm."""
        return tuple(self.classifier.parameters())

    @property
    def device(self) -> torch.device:
        return self.dataset.device

    @property
    def epoch_steps(self) -> int:
        """The optimiser steps of an epoch."""
        return _epoch_steps(self.config, len(self.split.train))

    def ahead(self, read: Callable[[torch.optim.Optimizer], T]) -> list[T]:
        """Return what `read` sees of the optimiser in each step of an epoch, which is then over.

        A schedule depends on nothing that happens within an epoch.
        """
        self.optimizer._opt_called = True  # type: ignore[attr-defined]  # or its schedule warns
        seen = []
        for _ in range(self.epoch_steps):
            seen.append(read(self.optimizer))
            self.schedule.step()
        return seen

    def seed(self, purpose: str, epoch: int = 0) -> int:
        """Return the seed of one purpose, which all arms of this trial's block share."""
        return seed_of(self.config.seed, self.config.fold, purpose, epoch)

    def evaluated(self) -> Classifier:
        """Return the classifier to score and save: averaged weights, or those in training."""
        return cast(Classifier, self.averaging.evaluated())


def build(
    config: Config,
    dataset: AudioDataset,
    pretrained: Weights | None = None,
    split: Split | None = None,
    learns_codes: bool = False,
    learns_views: bool = False,
    ranks: Ranks = ALONE,
) -> TrainingState:
    """Return a trial ready for its first step.

    Raises `ConfigError`, `DataError`: device, budget, teacher, weights or clips do not suit it.

    Args:
        dataset: of `config.data` and `config.features`, on the device of the training.
        pretrained: weights of a finished pre-training stage.
        split: clips to train, validate and test on; default: those of `config.fold`.
        learns_codes, learns_views: whether this is a pre-training stage, and what it predicts.
        ranks: the processes that train the trial together, each of which builds it.
    """
    scaling, split = loss_scaling(config, dataset.device), split or _split(config, dataset)
    classifier = _classifier(config, dataset, split.train, learns_views, ranks)
    transfers = _initial_weights(classifier, config, pretrained, dataset.table.labels)
    optimizer, epoch_steps = config.optim.build(classifier), _epoch_steps(config, len(split.train))
    return TrainingState(
        config=config,
        dataset=dataset,
        split=split,
        classifier=classifier,
        optimizer=optimizer,
        schedule=_schedule(config, optimizer, epoch_steps),
        stepper=stepper(config.sam, classifier, optimizer, scaling),
        scaling=scaling,
        averaging=config.averaging.build(classifier, config.train.epochs, epoch_steps),
        objective=_objective(config, dataset, learns_codes, learns_views),
        batching=_batching(config, dataset, Views(config.ssl.noise) if learns_views else None),
        ranks=ranks,
        stored=None if learns_views else _stored(config, dataset, split, classifier),
        transfers=transfers,
    )


def _split(config: Config, dataset: AudioDataset) -> Split:
    """Return the clips of the configured fold; raise `DataError` if a part of it is empty."""
    split = dataset.table.split(config.fold, config.data.validation)
    needed = {"training": split.train, "validation": split.val, "test": split.test}
    for name, clips in needed.items():
        is_needed = name != "validation" or config.data.validation != "none"
        if is_needed and len(clips) == 0:
            raise DataError(f"fold {config.fold} of {config.data.name} has no {name} clips")
    return split


def _classifier(
    config: Config,
    dataset: AudioDataset,
    train: NDArray[np.int64],
    learns_views: bool,
    ranks: Ranks,
) -> Classifier:
    """Return the untrained classifier, standardised by the clips `train`. Shape: train (N,)"""
    in_shape = config.in_shape
    torch.manual_seed(seed_of(config.seed, config.fold, "init"))
    model = config.model.build(in_shape, len(dataset.table.labels))
    is_standardised = config.features.uses_training_statistics
    standardise = dataset.standardise(train) if is_standardised else Standardise(in_shape[0])
    # Built after the model, so that arms with another front end share the model's first weights.
    front = config.features.learned_front_end(dataset.sample_rate)
    classifier = Classifier(front, standardise.cpu(), model)
    require_within_budget(config, classifier, len(dataset.table.labels))
    if learns_views:
        put_head(classifier, config.ssl)
    batches = epoch_batches(len(train), config.train.batch_size, config.train.drop_last)
    mixes = config.augment.feature_mixup > 0
    prepared = ranks.prepare(classifier.to(dataset.device), len(train) // batches, mixes)
    return cast(Classifier, prepared)


def _initial_weights(
    classifier: Classifier, config: Config, pretrained: Weights | None, labels: tuple[str, ...]
) -> tuple[Transfer, ...]:
    """Copy weights of the checkpoint, then those of pre-training; freeze them if configured."""
    sources = [] if config.init_from is None else [weights_from(Path(config.init_from))]
    sources += [] if pretrained is None else [pretrained]
    transfers = tuple(load_matching_weights(classifier, weights, labels) for weights in sources)
    if config.freeze:
        freeze(classifier, {name for transfer in transfers for name in transfer.taken})
    return transfers


def _epoch_steps(config: Config, num_clips: int) -> int:
    """Return the optimiser steps of an epoch of `num_clips` clips."""
    train = config.train
    batches = epoch_batches(num_clips, train.batch_size, train.drop_last)
    return num_batches(batches, train.accumulate)


def _schedule(config: Config, optimizer: torch.optim.Optimizer, epoch_steps: int) -> LearningRate:
    """Return the learning rate over all steps of a training."""
    num_epochs = config.train.epochs
    schedule = config.schedule.build(optimizer, num_epochs, epoch_steps)
    return config.averaging.wrap_schedule(schedule, optimizer, num_epochs, epoch_steps)


def loss_scaling(config: Config, device: torch.device) -> LossScaling:
    """Return what scales the loss; raise `ConfigError` for a precision that the device lacks."""
    require_precision(config.train.precision, device)
    if config.train.precision != "fp16":
        return NoScaling()
    return DynamicScaling(device.type, config.train.loss_scale)


def _objective(
    config: Config, dataset: AudioDataset, learns_codes: bool, learns_views: bool
) -> Objective:
    if learns_codes:
        return CodeObjective(config.train)
    if learns_views:
        return ContrastiveObjective(config.ssl, config.train.batch_size)
    teacher = None if config.distil.teacher is None else teacher_of(config, dataset)
    classes = ClassObjective(config.train, dataset.table.is_multi_label, teacher, config.distil)
    if config.ssl.mode == "joint":
        return JointObjective(classes, CodeObjective(config.train), config.ssl.weight)
    return classes


def _batching(config: Config, dataset: AudioDataset, views: Views | None) -> Batching:
    folder = config.augment.background
    noise = open_background(Path(folder), dataset.sample_rate) if folder else None
    num_bands, num_frames = config.in_shape
    return Batching(
        batch_size=config.train.batch_size,
        augment=config.augment,
        background=None if noise is None else noise.to(dataset.device),
        is_balanced=config.train.balanced,
        is_union=(config.train.mixed_loss or config.train.loss) == "bce",
        drops_last=config.train.drop_last,
        keeps_waveforms=config.distil.teacher is not None,
        in_shape=(num_bands, config.augment.trained_frames(num_frames)),
        views=views,
    )


def _stored(
    config: Config, dataset: AudioDataset, split: Split, classifier: Classifier
) -> StoredFeatures | None:
    """Return the training clips' features, unless augmentation precedes all features."""
    augment = config.augment
    is_never_plain = augment.changes_waveform or augment.mixes_every_batch
    return None if is_never_plain else store_features(dataset, split.train, classifier.standardise)
