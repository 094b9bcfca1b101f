"""What becomes of a trial that was somebody's program: from how it ended to record or failure."""

import math
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import audiocls
from audiocls.errors import did_you_mean
from audiocls.execution.clock import now
from audiocls.execution.events import Done, Event, Failed, Interrupted, Lost
from audiocls.execution.external.command import Command
from audiocls.execution.external.program import Exit
from audiocls.execution.external.run_directory import COLOUR
from audiocls.formatting import join_names
from audiocls.store import Cause, Cost, Failure, Provenance, Record
from audiocls.tracking.wandb.log import RunLogs

StopReason = Literal["go", "end", "timeout", "stop"]
"""What we want of a program: to end with what it has, because its time is up, or for later."""
TAIL_LINES = 20
TAIL_BYTES = 8192
MOST_NAMES = 12
"""Logged metrics that a message names."""
LONGEST_LINE = 300
"""Characters of a program's last line that a message repeats; its whole is in the log."""


@dataclass(frozen=True)
class ForeignTrial:
    """One attempt at a command."""

    command: Command
    attempt: int
    device: str
    started: str
    logs: RunLogs
    output_from: int
    """Bytes of its log that earlier attempts have written."""

    @property
    def tail(self) -> str:
        """The last lines of its output."""
        log = self.command.trial.log
        if not log.exists():
            return ""
        with log.open("rb") as file:
            file.seek(max(self.output_from, log.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


def outcome(trial: ForeignTrial, poll_signal: StopReason, end: Exit) -> Event:
    """Write the record or the failure that the end of a program amounts to, and tell of it."""
    command = trial.command
    if poll_signal == "stop":
        return Interrupted(command.id)
    if poll_signal == "timeout":
        what = f"still running after {command.timeout_s:g} s, the most that a trial may take"
        return failed(trial, "timeout", what)
    if end.code < 0 and poll_signal == "go":
        how = f"program killed by {signal.Signals(-end.code).name}"
        return Lost(command.id, how, is_resumable=False)
    if end.code and poll_signal == "go":
        return failed(trial, "error", _last_output_line(trial, end.code))
    return _judge(trial, poll_signal == "end", end)


def failed(trial: ForeignTrial, cause: Cause, message: str) -> Failed:
    """Write the failure, with the end of the output, if the disk still takes it."""
    command = trial.command
    try:
        command.trial.fail(Failure(cause, message, trial.tail, trial.attempt))
    except OSError as error:
        message += f" (and failure.json could not be written: {error})"
    return Failed(command.id, cause, message)


def _judge(trial: ForeignTrial, is_early: bool, end: Exit) -> Done | Failed:
    """A program has done its part when its metric is there and is a number."""
    command, metrics = trial.command, trial.logs.numbers()
    if command.metric and command.metric not in metrics:
        return failed(trial, "error", _what_is_missing(trial, metrics))
    if command.metric and not math.isfinite(metrics[command.metric]):
        return failed(trial, "nan", f"{command.metric} ended as {metrics[command.metric]}")
    command.trial.finish(_record(trial, metrics, is_early, end))
    return Done(command.id, _note(trial.logs))


def _record(trial: ForeignTrial, metrics: Mapping[str, float], is_early: bool, end: Exit) -> Record:
    return Record(
        id=trial.command.id,
        seed=trial.command.seed,
        fold=trial.command.fold,
        attempt=trial.attempt,
        metrics=dict(sorted(metrics.items())),
        cost=Cost(
            wall_s=round(end.wall_s, 3),
            process_s=round(end.process_s, 3),
            peak_memory_mib=round(end.peak_memory_mib, 1),
        ),
        provenance=Provenance(
            audiocls=audiocls.__version__,
            device=trial.device,
            host=socket.gethostname(),
            started=trial.started,
            finished=now(),
        ),
        num_train=None,
        num_val=None,
        num_test=None,
        early_stopped=is_early,
    )


def _note(logs: RunLogs) -> str:
    if not logs.num_damaged:
        return ""
    files = ", ".join(map(str, logs.files))
    return f"{logs.num_damaged} damaged blocks of its W&B run were skipped: {files}"


def _what_is_missing(trial: ForeignTrial, metrics: Mapping[str, float]) -> str:
    metric, logs = trial.command.metric, trial.logs
    if not logs.files:
        return (
            f"the program ended but left no W&B run below {trial.command.runs_folder}/wandb, "
            f"so {metric!r} is not known; it has to call wandb.init without `mode`, and without "
            "`dir` where W&B is told to be silent"
        )
    names = sorted(metrics)
    logged = join_names(names, MOST_NAMES) or "no numbers at all"
    return (
        f"the program ended but its W&B run has no number {metric!r}."
        f"{did_you_mean(metric, names)} It logged {logged} ({logs.files[-1]})"
    )


def _last_output_line(trial: ForeignTrial, code: int) -> str:
    """The status, and the last line of output that is not W&B's."""
    lines = [line.strip() for line in COLOUR.sub("", trial.tail).splitlines()]
    said = [line for line in lines if line and not line.startswith("wandb:")]
    last = f": {_cut(said[-1])}" if said else ", without a word"
    return f"the program exited with status {code}{last}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"
