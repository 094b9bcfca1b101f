"""What an executor tells the scheduler about its trials, as lines of JSON between processes."""

import json
from dataclasses import asdict, dataclass

from audiocls.store import Cause


@dataclass(frozen=True)
class Epoch:
    """A trial has finished one epoch."""

    id: str
    epoch: int
    num_epochs: int


@dataclass(frozen=True)
class Stage:
    """The pre-training that a trial needs first, its own or another worker's, is that far."""

    id: str
    epoch: int
    num_epochs: int


@dataclass(frozen=True)
class Done:
    """The trial's record is written."""

    id: str
    note: str = ""
    """What went wrong without harm, such as tracking that stopped."""
    is_worker_spent: bool = False
    """Whether its worker cannot track any more, and leaves after this trial."""


@dataclass(frozen=True)
class Failed:
    """The attempt failed; its `failure.json` is written."""

    id: str
    cause: Cause
    message: str
    note: str = ""
    is_worker_spent: bool = False


@dataclass(frozen=True)
class Interrupted:
    """The trial stopped because it was asked to; it can be resumed."""

    id: str
    note: str = ""
    is_worker_spent: bool = False


@dataclass(frozen=True)
class Lost:
    """The process that trained it died."""

    id: str
    how: str
    is_resumable: bool = True
    """Whether the next attempt goes on where this one was."""


Ended = Done | Failed | Interrupted
"""An attempt of ours is over, one way or another; each has `note` and `is_worker_spent`."""

Event = Epoch | Stage | Done | Failed | Interrupted | Lost

KINDS: dict[str, type[Epoch | Stage | Done | Failed | Interrupted | Lost]] = {
    kind.__name__: kind for kind in (Epoch, Stage, Done, Failed, Interrupted, Lost)
}


def to_json(event: Event) -> str:
    """One line, without its end."""
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def from_json(line: str) -> Event:
    """The event of one line."""
    fields = json.loads(line)
    return KINDS[fields.pop("event")](**fields)
