"""A W&B project as others see it: its runs as values, and how it is read.

`wandb_project.WandbProject` reads a real one; nothing here loads W&B.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from audiocls.tracking.sweep_server import Sweeps


@dataclass(frozen=True)
class ProjectRef:
    """A project and whose it is."""

    entity: str
    project: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}"


@dataclass(frozen=True)
class UploadStatus:
    """What the server says of a run's upload."""

    key: str
    """The server's own, which mutations want."""
    state: str
    sweep: str

    @property
    def is_whole(self) -> bool:
        """The end of a run is the last thing that its upload tells."""
        return self.state in ("finished", "failed", "killed")


@dataclass(frozen=True)
class RemoteRun:
    """A run as its project shows it."""

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
    """What is read of a project, each call within a stated time.

    Raises `ServerUnavailable`, `PermissionDenied` or `SweepNotFound`.
    """

    def runs(self, place: ProjectRef, filters: Mapping[str, Any]) -> Iterator[RemoteRun]:
        """Its runs, the oldest first, a page at a time."""

    def history(self, place: ProjectRef, run_id: str) -> list[dict[str, Any]]:
        """A run's rows."""

    @property
    def sweeps(self) -> Sweeps:
        """Those of its server."""
