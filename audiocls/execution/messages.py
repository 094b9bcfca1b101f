"""What executors, workers and displays exchange: events of trials, control lines, the status.

Events and jobs travel between processes as lines of JSON; the control lines are plain text.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a display is made before a launch imports what trials are
    from audiocls.store import Cause

READY = "ready"
"""From a worker: torch is imported, jobs are accepted."""
STOP = "stop"
"""To a worker: stop the running trial after its epoch; it can be resumed later."""
FINISH = "finish "
"""To a worker, followed by a trial's id: score and record that trial after its epoch."""


ROOM = "room "
"""From a worker, followed by the number of trials like its last ones that its device can train."""


@dataclass(frozen=True)
class Epoch:
    """A trial has finished one epoch."""

    id: str
    epoch: int
    num_epochs: int
    metric: str = ""
    """Of validation clips, by which the epoch is chosen; a program's by its sweep."""
    value: float | None = None
    scoring_share: float = 0.0
    """What scoring the test clips will take, as a share of an epoch; 0 where unknown."""


@dataclass(frozen=True)
class Stage:
    """A trial is pre-training, or waits for the worker that does, and this is the epoch."""

    id: str
    epoch: int
    num_epochs: int


@dataclass(frozen=True)
class Extraction:
    """A trial has features for so many clips, computed once for all; none of none while it waits
    for the worker that computes them."""

    id: str
    num_done: int
    num_clips: int


@dataclass(frozen=True)
class Notice:
    """Something that people should know of a running trial, such as a snapshot that is damaged."""

    id: str
    text: str


@dataclass(frozen=True)
class Recorded:
    """A trial's record is written, and its trackers are finishing: its worker is free again."""

    id: str


@dataclass(frozen=True)
class Done:
    """The trial's record is written."""

    id: str
    note: str = ""
    """What went wrong without harm, such as incomplete tracking."""
    is_worker_spent: bool = False
    """Whether the worker can track no further trial, and exits after this one."""
    fault: str = ""
    """What of the machine failed, so that the launch stops; empty if nothing did."""


@dataclass(frozen=True)
class Failed:
    """The attempt failed; its `failure.json` is written."""

    id: str
    cause: "Cause"
    message: str
    note: str = ""
    is_worker_spent: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Interrupted:
    """The trial was stopped before its end, or by a fault of the machine; it can be resumed."""

    id: str
    note: str = ""
    is_worker_spent: bool = False
    fault: str = ""
    is_taken: bool = False
    """Whether another launch has taken the trial over, and goes on with it."""
    death: str = ""
    """How another process that trained the trial died, which is as if this one had."""


@dataclass(frozen=True)
class Lost:
    """The process that trained the trial died."""

    id: str
    how: str
    is_resumable: bool = True
    """Whether the next attempt resumes from the last snapshot."""
    cause: "Cause" = "signal"
    """Of the failure, if this happens too often."""
    fault: str = ""


Ended = Done | Failed | Interrupted
"""The end of an attempt that the trial itself reports; each has `note` and `is_worker_spent`."""

Underway = Epoch | Stage | Extraction | Notice | Recorded
"""What a trial reports before it ends."""

Event = Underway | Ended | Lost

KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (Epoch, Stage, Extraction, Notice, Recorded, Done, Failed, Interrupted, Lost)
}


def to_json(event: Event) -> str:
    """Return the event as one line, without its line break."""
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def from_json(line: str) -> Event:
    """Return the event that `to_json` wrote."""
    fields = json.loads(line)
    return KINDS[fields.pop("event")](**fields)


@dataclass(frozen=True)
class Running:
    """A running trial, for a display."""

    label: str
    epoch: int
    num_epochs: int
    is_pretraining: bool = False
    """Whether the epochs are those of the pre-training stage."""
    clips: tuple[int, int] | None = None
    """While features are computed, before all epochs: how many clips of how many have theirs."""
    metric: str = ""
    value: float | None = None
    """Of that metric, logged last."""

    @classmethod
    def after(cls, label: str, event: Epoch | Stage | Extraction) -> "Running":
        """Return a trial as it is once it has reported that."""
        if isinstance(event, Extraction):
            return cls(label, 0, 0, clips=(event.num_done, event.num_clips))
        if isinstance(event, Stage):
            return cls(label, event.epoch, event.num_epochs, is_pretraining=True)
        return cls(label, event.epoch, event.num_epochs, metric=event.metric, value=event.value)


@dataclass(frozen=True)
class Status:
    """Trials of a launch by state, and the time that the rest will take."""

    num_total: int | None
    """Unknown for a search without an end."""
    num_done: int = 0
    num_reused: int = 0
    """Of `num_done`, those that were finished before this launch."""
    num_failed: int = 0
    running: tuple[Running, ...] = ()
    elapsed_s: float = 0.0
    left_s: float | None = None
    """Unknown until an epoch has ended."""
    stage: str = ""
    """Which part of the launch this is, such as `look 2`."""
    messages: tuple[str, ...] = field(default=())
    """What happened since the last status, for people."""
    study: Path | None = None
    """The folder of the study, where all trials are of one."""


Watch = Callable[[Status], None]


class Display(Protocol):
    """Shows people what a launch does."""

    def note(self, text: str) -> None:
        """Show one sentence."""

    def watching(self) -> AbstractContextManager[Watch]:
        """Show the progress of trials, as long as the context is open."""
