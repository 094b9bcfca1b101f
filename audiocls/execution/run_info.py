"""What a tracker is given of a trial: the identity of its run before it, its summary at the end."""

from collections.abc import Callable, Mapping
from typing import Any

from audiocls.config import Config, identity_config
from audiocls.dotted import flatten
from audiocls.execution.job import NativeJob
from audiocls.store import Attempt, Provenance, Record
from audiocls.tracking import Ending, RunInfo, run_id_of
from audiocls.tracking.breakdown import ScoreBreakdown


def run_info_of(job: NativeJob, config: Config, attempt: Attempt, origin: Provenance) -> RunInfo:
    """Return the run of a trial: a resumed trial resumes its run, a restarted one gets another."""
    tracking = job.tracking
    cell = {"study": job.study, "arm": job.spec.arm, "trial": job.id}
    versions = _versions(attempt, origin)
    return RunInfo(
        id=tracking.run_id or run_id_of(job.id, job.study, attempt.origin),
        entity=tracking.entity,
        project=tracking.project,
        group=job.study,
        job_type=job.spec.arm,
        name=job.label,
        tags=tracking.tags,
        # W&B recognises a trial of its grid by the parameters under the sweep's own names.
        config={**job.parameters, **identity_config(config), **cell, **versions},
        folder=job.study_folder,
        history=tuple(job.trial.history()),
        sweep_id=tracking.sweep_id,
    )


def _versions(attempt: Attempt, origin: Provenance) -> dict[str, Any]:
    names = ("code", "audiocls", "python", "torch", "device", "host")
    versions = {name: getattr(origin, name) for name in names}
    return {"attempt": attempt.number, "data_fingerprint": origin.data, **versions}


def ending_of(job: NativeJob, record: Record, breakdown: Callable[[], ScoreBreakdown]) -> Ending:
    """Return the end of a finished trial; `breakdown` is called only by trackers that show it."""
    model = job.trial.checkpoint if job.tracking.has_model else None
    return Ending(_summary(record, job), 0, breakdown, model)


def best_of(row: Mapping[str, float]) -> dict[str, float]:
    """Return the best epoch's metrics as `best/…`: W&B keeps the last epoch's under their names."""
    return {f"best/{name}": row[name] for name in row if name == "epoch" or name.startswith("val/")}


def _summary(record: Record, job: NativeJob) -> dict[str, Any]:
    """Return metrics, cost, cell and clips, their names joined by slashes.

    W&B's panels read a dot as a step into a nested mapping.
    """
    cell = {"arm": job.spec.arm, "seed": record.seed, "fold": record.fold, "trial": record.id}
    clips = {"train": record.num_train, "val": record.num_val, "test": record.num_test}
    # Reports compare these, also of records that were imported from W&B.
    checked = {
        "cell/execution": record.provenance.execution,
        "cell/first_losses": " ".join(record.first_losses),
        "clips/test_digest": record.test_clips,
    }
    named = flatten({"cost": record.to_mapping()["cost"], "cell": cell, "clips": clips})
    metrics = {**record.metrics, **best_of(record.metrics)}
    return {**metrics, **{name.replace(".", "/"): named[name] for name in named}, **checked}
