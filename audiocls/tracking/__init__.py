"""Tracking: what a trial tells the outside while it trains, and who listens.

A tracker may be slow, full or dead; the trial must not notice. The record is ours.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from audiocls.tracking.availability import ServerAvailability

if TYPE_CHECKING:
    from audiocls.tracking.breakdown import ScoreBreakdown

WandbMode = Literal["online", "offline", "disabled"]

LONGEST_NAME = 80
"""Characters of a run's name in its folder's: file systems take 255 bytes."""


@dataclass(frozen=True)
class RunInfo:
    """Whose run it is, in W&B's terms: group = study, job type = arm."""

    id: str
    project: str
    group: str
    job_type: str
    name: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    folder: Path
    """Where an offline run is kept."""
    notes: str = ""
    history: tuple[Mapping[str, Any], ...] = field(default=())
    """Epochs of an earlier attempt, told where they are not known, so that each run is whole."""
    sweep_id: str = ""
    """The W&B sweep that the run belongs to, if any."""
    entity: str = ""
    """Whose project it is; empty means the user's own."""


@dataclass(frozen=True)
class Ending:
    """A trial's last word."""

    summary: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    evidence: "Callable[[], ScoreBreakdown] | None" = None
    """Called only by who shows it, and not on the trial's own thread."""
    model: Path | None = None
    """The checkpoint to keep with the run, if it is asked for."""


@dataclass(frozen=True)
class FinishReport:
    """How tracking went: what a trial's owner should read, and whether it can go on."""

    note: str = ""
    """What was not told or not uploaded, why, and where it lies; empty if all is well."""
    is_beyond_repair: bool = False
    """Whether this process cannot be trusted to track another trial."""


def run_id_of(trial_id: str, study: str, attempt: int) -> str:
    """The id of a trial's W&B run: two studies may share a trial, and W&B never frees an id.

    >>> run_id_of("0123456789ab", "dropout", 2)
    '0123456789ab-1b4c-2'
    """
    return f"{trial_id}-{hashlib.sha256(study.encode()).hexdigest()[:4]}-{attempt}"


def trial_of(run_id: str) -> str:
    """The trial that a run's id names; the id that a server gave names none.

    >>> trial_of("0123456789ab-1b4c-2"), trial_of("x1y2z3")
    ('0123456789ab', '')
    """
    trial, dash, _ = run_id.partition("-")
    return trial if dash else ""


class Tracker(Protocol):
    """Told of each epoch, and of the end."""

    def log(self, row: Mapping[str, Any]) -> None:
        """One epoch's metrics."""

    def finish(self, ending: Ending) -> FinishReport:
        """The last word; waits until it is told, as long as the tracker states at most."""


class NullTracker:
    """Tells nobody."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def finish(self, ending: Ending) -> FinishReport:
        return FinishReport()


def ignore() -> None:
    """Where nobody can be stopped."""


def start(
    mode: WandbMode,
    info: RunInfo,
    has_tensorboard: bool = False,
    reach: ServerAvailability | None = None,
    on_stop: Callable[[], None] = ignore,
) -> Tracker:
    """A tracker for one trial; what is not asked for is not imported.

    Trials of one process share a `reach`, so that an absent server is waited for once. `on_stop` is
    called, on another thread, within 15 s of somebody's pressing the stop button of an online run.
    """
    openers: dict[str, Callable[[], Tracker]] = {}
    if mode != "disabled":
        openers["wandb"] = lambda: _wandb(mode, info, reach or ServerAvailability(), on_stop)
    if has_tensorboard:
        openers["tensorboard"] = lambda: _tensorboard(info)
    if not openers:
        return NullTracker()
    from audiocls.tracking.background import BackgroundTracker
    from audiocls.tracking.group import TrackerGroup

    return (
        TrackerGroup(openers)
        if len(openers) > 1
        else BackgroundTracker(next(iter(openers.values())))
    )


def _wandb(
    mode: WandbMode, info: RunInfo, reach: ServerAvailability, on_stop: Callable[[], None]
) -> Tracker:
    from audiocls.tracking.reconnecting import ReconnectingTracker
    from audiocls.tracking.wandb.run import WandbRun, restart

    def open_run(rows: Sequence[Mapping[str, Any]]) -> Tracker:
        return WandbRun(mode, replace(info, history=tuple(rows)), reach, on_stop)

    return ReconnectingTracker(open_run, restart, info.history)


def _tensorboard(info: RunInfo) -> Tracker:
    """A folder a trial, by the beginning of its run's name and by its trial's id."""
    from audiocls.tracking.tensorboard import TensorboardRun

    name = f"{info.name[:LONGEST_NAME].replace('/', '-')} {trial_of(info.id) or info.id}"
    return TensorboardRun(info.folder / "tensorboard" / name, info)
