"""What a tracker is told of a trial, before it and at its end."""

from collections.abc import Callable, Mapping
from typing import Any

from audiocls.config import Config, identity_config
from audiocls.dotted import flatten
from audiocls.execution.job import Task
from audiocls.store import Attempt, Provenance, Record
from audiocls.tracking import Ending, RunInfo, run_id_of
from audiocls.tracking.breakdown import ScoreBreakdown


def run_info_of(task: Task, config: Config, attempt: Attempt, made: Provenance) -> RunInfo:
    """A resumed trial resumes its run; one that begins anew gets a new one."""
    cell = {"study": task.study, "arm": task.cell.arm, "trial": task.cell.id}
    return RunInfo(
        id=task.run_id or run_id_of(task.id, task.study, attempt.origin),
        entity=task.entity,
        project=task.project,
        group=task.study,
        job_type=task.cell.arm,
        name=task.label,
        tags=task.tags,
        config={**task.parameters, **identity_config(config), **cell, **_origin(attempt, made)},
        folder=task.study_folder,
        history=tuple(task.trial.history()),
        sweep_id=task.sweep_id,
    )


def _origin(attempt: Attempt, made: Provenance) -> dict[str, Any]:
    names = ("code", "audiocls", "python", "torch", "device", "host")
    versions = {name: getattr(made, name) for name in names}
    return {"attempt": attempt.number, "data_fingerprint": made.data, **versions}


def ending_of(task: Task, record: Record, evidence: Callable[[], ScoreBreakdown]) -> Ending:
    """The end of a trial that has its record; `evidence` is computed if somebody looks."""
    model = task.trial.checkpoint if task.has_model else None
    return Ending(_summary(record, task), 0, evidence, model)


def best_of(row: Mapping[str, float]) -> dict[str, float]:
    """The chosen epoch's, under names of their own: W&B keeps the last epoch's under the others."""
    return {f"best/{name}": row[name] for name in row if name == "epoch" or name.startswith("val/")}


def _summary(record: Record, task: Task) -> dict[str, Any]:
    """Names joined by slashes: to W&B's panels a dot is a step into a nested mapping."""
    cell = {"arm": task.cell.arm, "seed": record.seed, "fold": record.fold, "trial": record.id}
    clips = {"train": record.num_train, "val": record.num_val, "test": record.num_test}
    # Reports check these two, also of records that were imported from W&B.
    checked = {
        "cell/first_losses": " ".join(record.first_losses),
        "clips/test_digest": record.test_clips,
    }
    named = flatten({"cost": record.to_mapping()["cost"], "cell": cell, "clips": clips})
    metrics = {**record.metrics, **best_of(record.metrics)}
    return {**metrics, **{name.replace(".", "/"): named[name] for name in named}, **checked}
