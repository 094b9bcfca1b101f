"""A pack: trials of one shape that are trained at once, each with its own ends and snapshots.

Which trials these are is decided by their configurations (`shape_key`); what cannot be packed, and
why, says `obstacle`. A trial that fails, stops or ends leaves the pack, and the others go on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from audiocls.config import Config
from audiocls.dotted import flatten
from audiocls.models.fine_tuning import FineTuning
from audiocls.training.determinism import determinism
from audiocls.training.fit import (
    MEASURED_EVERY,
    EpochEnd,
    Row,
    RunningTrial,
    Signal,
    epoch_metrics,
    groups_of_epoch,
)
from audiocls.training.fused import FusedStep
from audiocls.training.progress import Progress
from audiocls.training.state import TrainingState

FREE_KEYS = (
    *("seed", "fold", "optim.lr", "optim.weight_decay", "train.clip_norm", "train.patience"),
    *("model.dropout", "model.stochastic_depth", "model.embedding_dropout"),
    *("augment.freq_mask", "augment.time_mask", "augment.num_masks", "sam.rho"),
)
"""What trials of one pack may differ in, for each has numbers, generators or masks of its own."""
ZERO_APART = ("sam.rho", "augment.freq_mask", "augment.time_mask")
"""Those of them whose 0 switches something off, in all trials of a pack or in none."""
FREE_PARTS = ("schedule.", "averaging.", "budget.")
"""Parts of the configuration that each trial of a pack has for itself."""


@dataclass(frozen=True)
class Member:
    """One trial of a pack."""

    state: TrainingState
    on_epoch: Callable[[EpochEnd], Signal]
    resume: bytes | None = None


def obstacle(config: Config) -> str:
    """Return why trials of this configuration cannot be trained as one, or an empty text."""
    reasons = {
        "optim: its step is one's own": not hasattr(config.optim, "lr")
        or config.optim.name not in ("adamw", "adam", "sgd"),
        "train.precision fp16: each trial scales its loss by itself": config.train.precision
        == "fp16",
        "distil.teacher: a teacher takes one batch at a time": config.distil.teacher is not None,
        "augment.mix_p below 1: some trials mix a batch that others do not": config.augment.mix_p
        < 1,
        "augment.feature_mixup: its clips are mixed batch by batch": config.augment.feature_mixup
        > 0,
        "a stage of pre-training comes first": config.has_stage,
        "model: the layers of an encoder have rates and epochs of their own": isinstance(
            config.model, FineTuning
        ),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def shape_key(config: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what trials must have in common to be trained as one, from a resolved configuration.

    The numbers of clips must agree, too: those of folds may differ.

    >>> one, other = ({"seed": s, "optim": {"lr": r}, "epochs": 3} for s, r in ((0, 0.1), (1, 0.2)))
    >>> shape_key(one) == shape_key(other)
    True
    """
    values = flatten(config)
    used = {f"{key} is used": str(values.get(key, 0) > 0) for key in ZERO_APART}
    kept = {
        key: str(value)
        for key, value in values.items()
        if key not in FREE_KEYS and not key.startswith(FREE_PARTS)
    }
    return tuple(sorted((kept | used).items()))


def fit_pack(members: Sequence[Member]) -> list[Progress | Exception]:
    """Train each as `fit` does, at once; return what `fit` would have returned or raised.

    The members have one `shape_key`, no `obstacle`, and as many clips to train on.
    """
    outcomes: dict[int, Progress | Exception] = {}
    running: dict[int, RunningTrial] = {}
    for index, member in enumerate(members):
        try:
            running[index] = RunningTrial(member.state, member.on_epoch, member.resume)
        except Exception as error:
            outcomes[index] = error
    first = members[0].state
    with determinism(first.config.train.deterministic, first.device):
        while running := _still(running, outcomes):
            _epoch(running, outcomes)
    return [outcomes[index] for index in range(len(members))]


def _still(
    running: dict[int, RunningTrial], outcomes: dict[int, Progress | Exception]
) -> dict[int, RunningTrial]:
    """Return the trials that have epochs left; note how the others ended."""
    ended = {index: trial.progress for index, trial in running.items() if trial.is_over}
    outcomes |= {index: progress for index, progress in ended.items() if index not in outcomes}
    return {index: trial for index, trial in running.items() if index not in outcomes}


def _epoch(running: dict[int, RunningTrial], outcomes: dict[int, Progress | Exception]) -> None:
    """Train an epoch of each trial; a trial that fails in what follows its steps fails alone."""
    trials = list(running.values())
    for trial in trials:
        trial.begin_epoch("fused", len(trials))
    for (index, trial), row in zip(running.items(), _train(trials), strict=True):
        try:
            trial.end_epoch(row, share=1 / len(trials))
        except Exception as error:
            outcomes[index] = error


def _train(trials: Sequence[RunningTrial]) -> list[Row]:
    """Take the steps of one epoch; return each trial's mean loss and gradient norm."""
    states = [trial.state for trial in trials]
    epochs = [trial.progress.epoch for trial in trials]
    losses: list[list[Tensor]] = [[] for _ in trials]
    norms: list[list[Tensor]] = [[] for _ in trials]
    counts: list[int] = []
    with FusedStep(states) as step:
        step.begin(epochs)
        streams = (groups_of_epoch(*pair) for pair in zip(states, epochs, strict=True))
        for number, groups in enumerate(zip(*streams, strict=True)):
            counts.append(sum(len(batch.targets) for batch in groups[0]))
            for k, result in enumerate(step(groups)):
                losses[k].append(result.loss)
                if number % MEASURED_EVERY == 0 and result.grad_norm is not None:
                    norms[k].append(result.grad_norm)
    return [
        epoch_metrics(
            trial.progress,
            torch.stack(losses[k]),
            counts,
            norms[k],
            trial.state.stepper.num_passes,
        )
        for k, trial in enumerate(trials)
    ]
