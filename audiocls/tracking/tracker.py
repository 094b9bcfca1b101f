"""What a tracker is: whose run it logs, how the run ends, and the protocol of two methods.

A tracker may be slow, out of disk or dead; the trial goes on regardless, since the trial's record
is kept by the store and not by a tracker.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from audiocls.tracking.breakdown import ScoreBreakdown

WandbMode = Literal["online", "offline", "disabled"]


@dataclass(frozen=True)
class RunInfo:
    """The identity of a run, in W&B's terms: group = study, job type = arm."""

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
    """Epochs of an earlier attempt, logged where they are not known yet."""
    sweep_id: str = ""
    """The W&B sweep that the run belongs to, if any."""
    is_beside_others: bool = False
    """Whether runs of other trials are open in this process, which this one must leave open."""
    entity: str = ""
    """The owner of the project; empty means the user's own."""


@dataclass(frozen=True)
class Ending:
    """How a trial ended, and what is logged with that."""

    summary: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    evidence: "Callable[[], ScoreBreakdown] | None" = None
    """Called only by a tracker that shows it, and not on the trial's own thread."""
    model: Path | None = None
    """The checkpoint to keep with the run, if requested."""


@dataclass(frozen=True)
class FinishReport:
    """What `finish` answers."""

    note: str = ""
    """What was not logged or uploaded, why, and where it is kept; empty if nothing is missing."""
    is_beyond_repair: bool = False
    """Whether this process cannot be trusted to track another trial."""
    fault: str = ""
    """What of this machine failed, such as a full disk; empty if that is not the reason."""


class Tracker(Protocol):
    """Logs one trial; an implementation may raise or block in any call, its opening included.

    `wrappers.BackgroundTracker` and `wrappers.TrackerGroup`, which trials get, do neither.
    """

    def log(self, row: Mapping[str, Any]) -> None:
        """Log one epoch's metrics."""

    def finish(self, ending: Ending) -> FinishReport:
        """Log the end and wait until everything is delivered, up to the tracker's own limit."""


class NullTracker:
    """Logs nothing."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""

    def finish(self, ending: Ending) -> FinishReport:
        """Report that nothing is missing."""
        return FinishReport()


def run_id_of(trial_id: str, study: str, attempt: int) -> str:
    """Return the id of a trial's W&B run.

    The study is part of it, since two studies may share a trial and W&B never frees an id.

    >>> run_id_of("0123456789ab", "dropout", 2)
    '0123456789ab-1b4c-2'
    """
    return f"{trial_id}-{hashlib.sha256(study.encode()).hexdigest()[:4]}-{attempt}"


def trial_of(run_id: str) -> str:
    """Return the trial in a run's id; empty for an id that a server has made up.

    >>> trial_of("0123456789ab-1b4c-2"), trial_of("x1y2z3")
    ('0123456789ab', '')
    """
    trial, dash, _ = run_id.partition("-")
    return trial if dash else ""
