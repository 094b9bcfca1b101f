"""A server of sweeps: the requests of its agents, its orders, and its errors.

The terms are W&B's; `wandb.sweeps.WandbSweeps` connects to a real server.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from audiocls.errors import AudioclsError, UsageError


class ServerUnavailable(AudioclsError):
    """The server cannot be reached, does not answer in time, or is overloaded: ask again later."""

    exit_code = 75


class PermissionDenied(AudioclsError):
    """The server refuses the key, or refuses this request for it."""

    exit_code = 2


class SweepNotFound(AudioclsError):
    """The server does not have the sweep; it may have been deleted."""

    exit_code = 2


@dataclass(frozen=True)
class SweepPath:
    """The address of a sweep on its server."""

    entity: str
    project: str
    id: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> "SweepPath":
        """Parse ENTITY/PROJECT/ID, the form that `wandb agent` takes.

        >>> SweepPath.parse("mine/audiocls/k3x9").project
        'audiocls'
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise UsageError(
                f"sweep: got {text!r}; wanted: ENTITY/PROJECT/ID, as "
                "`audiocls ablation register NAME --push` and `wandb sweep` print it"
            )
        return cls(*parts)


OFFLINE_SWEEP = "offline"
"""What the ids begin with of sweeps that no server knows."""


def offline_sweep_id(study: str) -> str:
    """Return the id that a study's sweep has while there is no server, the same at each launch."""
    return OFFLINE_SWEEP + hashlib.sha256(study.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class ServerRun:
    """One of a sweep's runs as its server has it."""

    id: str
    state: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class ServerSweep:
    """A registered sweep, its state and its runs."""

    path: SweepPath
    url: str
    config: Mapping[str, Any]
    state: str
    runs: tuple[ServerRun, ...] = ()


@dataclass(frozen=True)
class Start:
    """Train these parameters as this run; the server also resumes runs by this order."""

    run_id: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Stop:
    """End this run now."""

    run_id: str


@dataclass(frozen=True)
class Leave:
    """End the agent: the sweep has no more runs for it."""


Order = Start | Stop | Leave


class Sweeps(Protocol):
    """A server's sweeps; every call raises `ServerUnavailable` or `PermissionDenied`."""

    def create(
        self,
        config: Mapping[str, Any],
        project: str,
        entity: str | None = None,
        prior_runs: Sequence[str] = (),
    ) -> SweepPath:
        """Register a sweep with runs that exist already; `entity` defaults to the user's own."""

    def sweep(self, path: SweepPath) -> ServerSweep:
        """Return a sweep with its configuration and runs; raise `SweepNotFound` without one."""


class SweepServer(Protocol):
    """A server of sweeps; every call returns within a stated time.

    Raises `ServerUnavailable`, `PermissionDenied` or `SweepNotFound`.
    """

    def register_agent(self, path: SweepPath, host: str) -> str:
        """Return a new agent's id."""

    def heartbeat(self, agent_id: str, running: Sequence[str]) -> Sequence[Order]:
        """Report the runs that the agent is running, and return the server's orders."""
