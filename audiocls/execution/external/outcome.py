"""Outcome of an external program: from its exit code to a record or a failure."""

import math
import re
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal

import audiocls
from audiocls.errors import DataError, MachineFault, did_you_mean
from audiocls.execution.external.cause import LastWords, last_words
from audiocls.execution.external.command import runs_folder
from audiocls.execution.external.output import Announcements
from audiocls.execution.external.predictions import Arrays, digest_of_clips, read_predictions
from audiocls.execution.external.program import Exit
from audiocls.execution.external.result import Reported, predictions_file, reported
from audiocls.execution.job import CommandJob
from audiocls.execution.messages import Done, Event, Failed, Interrupted, Lost
from audiocls.execution.provenance import now
from audiocls.formatting import join_names
from audiocls.machine import fault_in, fault_of
from audiocls.store import Cause, Cost, Failure, Provenance, Record
from audiocls.tracking.wandb.log import RunLogs
from audiocls.tracking.wandb.rewrite import leave_offline_sweep

StopReason = Literal["finish", "timeout", "stop"]
"""Why we end a program: early, with its results so far; over its time limit; to rerun it later."""
ON_ONE_RANK = "Call wandb.init in one process only, such as that of rank 0"
NO_KEY = re.compile(r"\bapi[_ ]key\b|not logged in|wandb login", re.I)
MOST_NAMES = 12
"""Metrics, values or runs that a message names."""


@dataclass(frozen=True)
class CommandAttempt:
    """One attempt at a command job."""

    job: CommandJob
    number: int
    device: str
    started: str
    logs: RunLogs
    announcements: Announcements
    output_from: int
    """Bytes of its log that earlier attempts have written."""

    def last_words(self) -> LastWords:
        """Return what its output says of its end."""
        return last_words(self.job.trial.log, self.output_from)

    def adopt_run(self) -> bool:
        """Read the one run that a program announced under an id of its own, if it had no other."""
        announced = self.announcements.logs
        if self.logs.files or len(announced) != 1:
            return False
        [files] = announced.values()
        self.logs.add(files)
        return True

    def leave_offline_sweep(self) -> None:
        """Take runs that have ended out of a sweep that no server knows."""
        for opening in self.logs.openings:
            if opening.log.run.exit_code is not None:
                leave_offline_sweep(opening.log.file)


def outcome(attempt: CommandAttempt, reason: StopReason | None, end: Exit) -> Event:
    """Write the record or the failure that follows from how a program ended; return the event.

    `reason` says why we ended it, `None` that it ended by itself.
    """
    job = attempt.job
    if reason == "stop":
        return Interrupted(job.id)
    if reason == "timeout":
        message = f"still running after {job.spec.timeout_s:g} s, the most that a trial may take"
        return failed(attempt, "timeout", message)
    if end.code < 0 and reason is None:
        how = f"program killed by {signal.Signals(-end.code).name}"
        return Lost(job.id, how, is_resumable=False)
    if end.code and reason is None:
        text = attempt.last_words().cause
        if fault := fault_in(text, job.study_folder, Path(gettempdir())):
            return Interrupted(job.id, fault=f"{fault} ({job.trial.log} ends: {text})")
        suffix = f": {text.rstrip('.')}{_advice(job, text)}" if text else ", with no output"
        return failed(attempt, "error", f"the program exited with status {end.code}{suffix}")
    return _judge(attempt, reason == "finish", end)


def failed(attempt: CommandAttempt, cause: Cause, message: str) -> Failed:
    """Return the failure as an event; write it with the last output, if the disk takes it."""
    job, fault = attempt.job, ""
    try:
        job.trial.fail(Failure(cause, message, attempt.last_words().excerpt, attempt.number))
    except (OSError, MachineFault) as error:
        message += f" (and failure.json could not be written: {error})"
        fault = str(fault_of(error, job.study_folder) or "")
    return Failed(job.id, cause, message, fault=fault)


def _judge(attempt: CommandAttempt, is_early: bool, end: Exit) -> Done | Failed:
    """Return success if the program has logged or reported its metric, as a finite number."""
    job, metric = attempt.job, attempt.job.spec.metric
    try:
        result = reported(job.trial, attempt.output_from)
        predictions = read_predictions(predictions_file(job.trial))
    except DataError as error:
        return failed(attempt, "error", f"the program ended, but {error}")
    metrics = {**attempt.logs.numbers(), **result.metrics}
    if metric and metric not in metrics:
        return failed(attempt, "error", _missing_metric(attempt, metrics))
    if metric and not math.isfinite(metrics[metric]):
        return failed(attempt, "nan", f"{metric} ended as {metrics[metric]}")
    if metric not in result.metrics and (contradiction := _contradiction(attempt.logs, metric)):
        return failed(attempt, "error", contradiction)
    if predictions is not None:
        job.trial.write_predictions(predictions)
    notes = tuple(filter(None, [_damage(attempt.logs), *_notes(attempt, metric, result)]))
    record = _record(attempt, metrics, notes, is_early, end)
    job.trial.finish(_with_reported(record, result, predictions))
    return Done(job.id, "; ".join(notes))


def _contradiction(logs: RunLogs, metric: str) -> str:
    """Return why the metric is not known: several processes logged different values of it."""
    values = logs.rivals(metric) if metric else []
    if len(set(values)) < 2:
        return ""
    return (
        f"{len(values)} processes of the program logged {metric!r} at the same time and ended with "
        f"{_listed(values)}: which of them is the trial's is not known. {ON_ONE_RANK}"
    )


def _notes(attempt: CommandAttempt, metric: str, result: Reported) -> Iterator[str]:
    """Yield what a reader of the record must know of the runs that it was read from."""
    if metric in result.metrics:
        return
    if (num := attempt.announcements.num_processes_of_one_run()) > 1:
        yield (
            f"{num} processes of the program opened its W&B run in the same second, and W&B kept "
            f"what one of them logged: {metric or 'its metrics'} may be any one's. {ON_ONE_RANK}"
        )
    values = attempt.logs.values_of(metric)
    if len(set(values)) > 1 and attempt.logs.has_lesser(metric):
        yield (
            f"{len(values)} processes logged {metric}, and ended with {_listed(values)}: the last "
            "of these counts, that of rank 0 or of the process that leads the program"
        )
    elif len(set(values)) > 1:
        yield (
            f"its W&B run was opened {len(values)} times, and {metric} ended as {_listed(values)}: "
            "the last one counts, as on a server"
        )


def _listed(values: Sequence[float]) -> str:
    return join_names([f"{value:g}" for value in values], MOST_NAMES)


def _record(
    attempt: CommandAttempt,
    metrics: Mapping[str, float],
    notes: tuple[str, ...],
    is_early: bool,
    end: Exit,
) -> Record:
    return Record(
        id=attempt.job.id,
        seed=attempt.job.seed,
        fold=attempt.job.fold,
        attempt=attempt.number,
        metrics=dict(sorted(metrics.items())),
        cost=Cost(
            wall_s=round(end.wall_s, 3),
            process_s=round(end.process_s, 3),
            peak_memory_mib=round(end.peak_memory_mib, 1),
        ),
        provenance=Provenance(
            code=attempt.job.spec.code,
            audiocls=audiocls.__version__,
            device=attempt.device,
            host=socket.gethostname(),
            started=attempt.started,
            finished=now(),
        ),
        num_train=None,
        num_val=None,
        num_test=None,
        early_stopped=is_early,
        notes=notes,
    )


def _with_reported(record: Record, result: Reported, predictions: Arrays | None) -> Record:
    """Return the record with the cost and the clips that the program itself has told."""
    counts: dict[str, Any] = dict(result.counts)
    cost: dict[str, Any] = dict(result.cost)
    if predictions is not None:
        counts |= {"num_test": len(predictions["clips"])}
        counts |= {"test_clips": digest_of_clips(predictions)}
    origin = replace(record.provenance, torch=result.torch)
    return replace(record, cost=replace(record.cost, **cost), provenance=origin, **counts)


def _damage(logs: RunLogs) -> str:
    """Return a note on the damaged parts of a run, or an empty text."""
    if not logs.num_damaged:
        return ""
    files = ", ".join(map(str, logs.files))
    return f"{logs.num_damaged} damaged blocks of its W&B run were skipped: {files}"


def _missing_metric(attempt: CommandAttempt, metrics: Mapping[str, float]) -> str:
    """Return why the metric is unknown: no run, or a run that logged other names."""
    metric, logs = attempt.job.spec.metric, attempt.logs
    if not logs.files and not metrics:
        return _missing_run(attempt)
    names = sorted(metrics)
    logged = join_names(names, MOST_NAMES) or "no numbers at all"
    if not logs.files:
        return (
            f"the program ended but its result has no number {metric!r}."
            f"{did_you_mean(metric, names)} It reported {logged}"
        )
    message = (
        f"the program ended but its W&B run has no number {metric!r}."
        f"{did_you_mean(metric, names)} It logged {logged} ({logs.files[-1]})"
    )
    if (num := attempt.announcements.num_processes_of_one_run()) > 1:
        message += (
            f". {num} processes of the program opened this run in the same second, and W&B kept "
            f"what one of them logged. {ON_ONE_RANK}"
        )
    return message


def _missing_run(attempt: CommandAttempt) -> str:
    """Return that there is no run of the trial, and which other ones were announced."""
    job, others = attempt.job, attempt.announcements.logs
    where = f"{runs_folder(job)}/wandb"
    ended = f"the program ended but left no W&B run below {where}"
    if others:
        logs = join_names([str(files[-1]) for files in others.values()], MOST_NAMES)
        return (
            f"{ended} with the trial's id, {attempt.logs.run_id}: W&B announced runs of another id "
            f"({logs}), and which of them has {job.spec.metric!r} is not known. Keep WANDB_RUN_ID "
            "for the one that is the trial's"
        )
    metric = job.spec.metric
    call = f"{metric}=VALUE" if metric.isidentifier() else f"{{{metric!r}: VALUE}}"
    return (
        f"the program ended without a result, so {metric!r} is not known: call "
        f"audiocls.report_result({call}) in it; or log with W&B, of which no run is below {where} "
        "(wandb.init without `mode`, and without `dir` if W&B runs silently)"
    )


def _advice(job: CommandJob, cause: str) -> str:
    """Return what helps against a cause that comes from how a launch runs programs."""
    if job.tracking.mode == "online" or not NO_KEY.search(cause):
        return ""
    return (
        ". W&B is offline here by WANDB_MODE: a process that clears it asks for a key. Keep the "
        f"variable, or run `wandb offline` in {job.spec.cwd} once"
    )
