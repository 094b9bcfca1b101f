"""What a trained trial leaves in its folder: predictions, checkpoint, record."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from audiocls.analysis.influences.predictions import OWN
from audiocls.config.own import OwnMetric
from audiocls.execution.job import NativeJob
from audiocls.execution.provenance import digest_of_test, peak_memory_mib
from audiocls.store import Attempt, Cost, Provenance, Record
from audiocls.training.checkpoint import description_of, save_weights, weights_of
from audiocls.training.cost import macs_of, num_params
from audiocls.training.progress import Progress, Spent
from audiocls.training.score import Scores
from audiocls.training.state import TrainingState

if TYPE_CHECKING:
    from audiocls.training.pretrain import Pretrained


def write_results(
    job: NativeJob,
    attempt: Attempt,
    state: TrainingState,
    progress: Progress,
    scores: Mapping[str, Scores],
    pretrained: "Pretrained | None",
    origin: Provenance,
) -> Record:
    """Write predictions on the test clips, the checkpoint and the record; return the record.

    `scores` are those of `test`, and of further splits of test clips. The record comes last: its
    presence means that the trial is finished.
    """
    table, data = state.dataset.table, state.config.data
    labels = table.labels
    _write_predictions(job, state, scores)
    job.trial.write_checkpoint(weights_of(state.classifier), description_of(state.config, labels))
    _write_runners_up(job, state, progress)
    record = Record(
        id=job.id,
        seed=job.seed,
        fold=job.fold,
        attempt=attempt.number,
        metrics={**_tested(scores), **_best_epoch(progress), **_stage_metrics(pretrained)},
        cost=_cost(state, progress, pretrained.spent if pretrained else Spent()),
        provenance=replace(origin, execution="+".join(progress.executions)),
        num_train=len(state.split.train),
        num_val=len(state.split.val),
        num_test=len(state.split.test),
        early_stopped=progress.epoch < state.config.train.epochs,
        notes=(*(each.sentence() for each in state.transfers), *state.micro_batches.notes()),
        test_clips=digest_of_test(table, state.config.fold, data.validation),
        first_losses=tuple(loss.hex() for loss in progress.first_losses),
    )
    if len(job.trial.history()) != progress.epoch:  # a row came twice, at the moment of a takeover
        job.trial.keep_history(progress.epoch)
    job.trial.finish(record)
    return record


def _write_predictions(job: NativeJob, state: TrainingState, scores: Mapping[str, Scores]) -> None:
    """Keep the predictions of each split; arrays of further ones are named `test:NAME/logits`."""
    arrays = _predictions(state, state.split.test, scores["test"])
    for split, clips in state.split.further.items():
        each = _predictions(state, clips, scores[split])
        arrays |= {f"{split}/{name}": array for name, array in each.items()}
    job.trial.write_predictions(arrays)


def _predictions(
    state: TrainingState, numbers: NDArray[np.int64], scores: Scores
) -> dict[str, NDArray[Any]]:
    """Shape: numbers (N,) → arrays of (N,), but for logits and several labels (N, K)"""
    clips = [state.dataset.table.clips[i] for i in numbers]
    sources = np.array([clip.source for clip in clips])
    return {
        "clips": np.array([clip.id for clip in clips]),
        "sources": sources,
        "labels": scores.targets.numpy(),
        "logits": scores.logits.numpy(),
        **_own_metrics(scores, sources),
    }


def _tested(scores: Mapping[str, Scores]) -> dict[str, float]:
    return {name: value for split in scores for name, value in scores[split].test(split).items()}


def _own_metrics(scores: Scores, sources: NDArray[np.str_]) -> dict[str, NDArray[np.float64]]:
    """Return what reports need of the user's own metrics, by array. Shape: sources (N,)"""
    own = scores.training.metrics
    return {f"{OWN}{each.short}": _without_each(each, scores, sources) for each in own}


def _without_each(
    metric: OwnMetric, scores: Scores, sources: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return a metric of all clips, then without those of each recording, in ascending order.

    Reports take verdicts over recordings from these, and run no code of the user's.

    Shape: sources (N,) → (1 + R,)
    """
    _, numbers = np.unique(sources, return_inverse=True)
    recordings = torch.from_numpy(numbers)
    num = int(numbers.max()) + 1
    kept = [recordings != number for number in range(num)] if num > 1 else []
    parts = ((scores.logits[each], scores.targets[each]) for each in kept)
    whole = metric.of(scores.logits, scores.targets)
    return np.array([whole, *(metric.of(*part) for part in parts)])


def _write_runners_up(job: NativeJob, state: TrainingState, progress: Progress) -> None:
    """Write the weights of the second best epoch and those after it, and of the last ones.

    With what each reached.
    """
    described = description_of(state.config, state.dataset.table.labels)
    for rank, kept in enumerate(progress.ranked[1:], 2):
        metrics = {"rank": rank, "metrics": kept["row"]}
        job.trial.write_checkpoint(save_weights(kept["weights"]), described | metrics, f"-{rank}")
    for place, kept in enumerate(progress.last, 1):
        weights, ending = save_weights(kept["weights"]), f"-last-{place}"
        job.trial.write_checkpoint(weights, described | {"metrics": kept["row"]}, ending)


def _best_epoch(progress: Progress) -> dict[str, float]:
    """Return the number and the validation metrics of the epoch whose weights were scored."""
    best = progress.best_row
    validation = {key: value for key, value in best.items() if key.startswith("val/")}
    return {**validation, "best/epoch": best["epoch"]}


def _stage_metrics(pretrained: "Pretrained | None") -> dict[str, float]:
    metrics = pretrained.metrics if pretrained else {}
    return {f"pretrain/{name}": value for name, value in metrics.items()}


def _cost(state: TrainingState, progress: Progress, stage: Spent) -> Cost:
    """Return what training took, the pre-training stage included."""
    spent = progress.spent + stage
    return Cost(
        num_params=num_params(state.classifier),
        macs=macs_of(state.config, len(state.dataset.table.labels)),
        epochs=progress.epoch,
        steps=spent.steps,
        samples=spent.samples,
        gradient_passes=spent.gradient_passes,
        wall_s=round(spent.wall_s, 3),
        process_s=round(spent.process_s, 3),
        peak_memory_mib=round(peak_memory_mib(), 1),
        pack=progress.largest_pack if progress.largest_pack > 1 else None,
    )
