"""A W&B project: its runs as values, and the protocol for reading it.

`wandb.project.WandbProject` reads a real one; this module does not import W&B.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from audiocls.tracking.sweep_server import Sweeps


@dataclass(frozen=True)
class ProjectRef:
    """A project and its owner."""

    entity: str
    project: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}"


@dataclass(frozen=True)
class UploadStatus:
    """How much of a run the server has."""

    key: str
    """The server's own id of the run, for mutations."""
    state: str
    sweep: str

    @property
    def is_whole(self) -> bool:
        """Whether the upload is complete: the end of a run is uploaded last."""
        return self.state in ("finished", "failed", "killed")


@dataclass(frozen=True)
class RemoteRun:
    """A run as the server has it."""

    id: str
    name: str
    state: str
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    group: str = ""
    job_type: str = ""
    commit: str = ""
    python: str = ""
    created: str = ""
    heartbeat: str = ""


class Project(Protocol):
    """Reading a project; every call returns within a stated time.

    Raises `ServerUnavailable`, `PermissionDenied` or `SweepNotFound`.
    """

    def runs(self, place: ProjectRef, filters: Mapping[str, Any]) -> Iterator[RemoteRun]:
        """Yield its runs, the oldest first; pages are requested one at a time."""

    def history(self, place: ProjectRef, run_id: str) -> list[dict[str, Any]]:
        """Return a run's rows."""

    @property
    def sweeps(self) -> Sweeps:
        """Return the sweeps of its server."""
