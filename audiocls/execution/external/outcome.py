"""Outcome of an external program: from its exit code to a record or a failure."""

import math
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Literal

import audiocls
from audiocls.errors import MachineFault, did_you_mean
from audiocls.execution.external.command import runs_folder
from audiocls.execution.external.output import last_line, tail
from audiocls.execution.external.program import Exit
from audiocls.execution.job import CommandJob
from audiocls.execution.messages import Done, Event, Failed, Interrupted, Lost
from audiocls.execution.provenance import now
from audiocls.formatting import join_names
from audiocls.machine import fault_in, fault_of
from audiocls.store import Cause, Cost, Failure, Provenance, Record
from audiocls.tracking.wandb.log import RunLogs

StopReason = Literal["finish", "timeout", "stop"]
"""Why we end a program: early, with its results so far; over its time limit; to rerun it later."""
MOST_NAMES = 12
"""Logged metrics that a message names."""


@dataclass(frozen=True)
class CommandAttempt:
    """One attempt at a command job."""

    job: CommandJob
    number: int
    device: str
    started: str
    logs: RunLogs
    output_from: int
    """Bytes of its log that earlier attempts have written."""

    @property
    def tail(self) -> str:
        """The last lines of its output."""
        return tail(self.job.trial.log, self.output_from)


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
        text = last_line(attempt.tail)
        if fault := fault_in(text, job.study_folder, Path(gettempdir())):
            return Interrupted(job.id, fault=f"{fault} ({job.trial.log} ends: {text})")
        suffix = f": {text}" if text else ", with no output"
        return failed(attempt, "error", f"the program exited with status {end.code}{suffix}")
    return _judge(attempt, reason == "finish", end)


def failed(attempt: CommandAttempt, cause: Cause, message: str) -> Failed:
    """Return the failure as an event; write it with the last output, if the disk takes it."""
    job, fault = attempt.job, ""
    try:
        job.trial.fail(Failure(cause, message, attempt.tail, attempt.number))
    except (OSError, MachineFault) as error:
        message += f" (and failure.json could not be written: {error})"
        fault = str(fault_of(error, job.study_folder) or "")
    return Failed(job.id, cause, message, fault=fault)


def _judge(attempt: CommandAttempt, is_early: bool, end: Exit) -> Done | Failed:
    """Return success if the program has logged its metric, as a finite number."""
    job, metric, metrics = attempt.job, attempt.job.spec.metric, attempt.logs.numbers()
    if metric and metric not in metrics:
        return failed(attempt, "error", _missing_metric(attempt, metrics))
    if metric and not math.isfinite(metrics[metric]):
        return failed(attempt, "nan", f"{metric} ended as {metrics[metric]}")
    job.trial.finish(_record(attempt, metrics, is_early, end))
    return Done(job.id, _damage(attempt.logs))


def _record(
    attempt: CommandAttempt, metrics: Mapping[str, float], is_early: bool, end: Exit
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
    )


def _damage(logs: RunLogs) -> str:
    """Return a note on the damaged parts of a run, or an empty text."""
    if not logs.num_damaged:
        return ""
    files = ", ".join(map(str, logs.files))
    return f"{logs.num_damaged} damaged blocks of its W&B run were skipped: {files}"


def _missing_metric(attempt: CommandAttempt, metrics: Mapping[str, float]) -> str:
    """Return why the metric is unknown: no run, or a run that logged other names."""
    metric, logs = attempt.job.spec.metric, attempt.logs
    if not logs.files:
        return (
            f"the program ended but left no W&B run below {runs_folder(attempt.job)}/wandb, "
            f"so {metric!r} is not known; it has to call wandb.init without `mode`, and without "
            "`dir` if W&B runs silently"
        )
    names = sorted(metrics)
    logged = join_names(names, MOST_NAMES) or "no numbers at all"
    return (
        f"the program ended but its W&B run has no number {metric!r}."
        f"{did_you_mean(metric, names)} It logged {logged} ({logs.files[-1]})"
    )
