"""A sweep's server as its agents see it: what it is asked, what it orders, how it fails.

The words are W&B's, the values are ours; `wandb_sweeps.WandbSweeps` speaks to a real server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from audiocls.errors import AudioclsError, UsageError


class ServerUnavailable(AudioclsError):
    """The server is away, stalls, or answers that it cannot now: ask again later."""

    exit_code = 75


class PermissionDenied(AudioclsError):
    """The server does not take the key, or not for this."""

    exit_code = 2


class SweepNotFound(AudioclsError):
    """The server does not know the sweep, or not any more."""

    exit_code = 2


@dataclass(frozen=True)
class SweepPath:
    """Where a sweep is found on its server."""

    entity: str
    project: str
    id: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> "SweepPath":
        """From ENTITY/PROJECT/ID, as `wandb agent` takes it.

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


@dataclass(frozen=True)
class ServerRun:
    """One of a sweep's runs as its server knows it."""

    id: str
    state: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class ServerSweep:
    """A registered sweep and what has become of it."""

    path: SweepPath
    url: str
    config: Mapping[str, Any]
    state: str
    runs: tuple[ServerRun, ...] = ()


@dataclass(frozen=True)
class Start:
    """Run these parameters as this run; also how the server asks for a run to be resumed."""

    run_id: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Stop:
    """End this run now."""

    run_id: str


@dataclass(frozen=True)
class Leave:
    """End everything: the sweep has no more runs for this agent."""


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
        """Register one, with runs that are there already; of the user's own where nobody says."""

    def sweep(self, path: SweepPath) -> ServerSweep:
        """The sweep, its configuration and its runs; raises `SweepNotFound` if it is not there."""


class SweepServer(Protocol):
    """A server of sweeps; every call returns within a stated time.

    Raises `ServerUnavailable`, `PermissionDenied` or `SweepNotFound`.
    """

    def register_agent(self, path: SweepPath, host: str) -> str:
        """A new agent's id."""

    def heartbeat(self, agent_id: str, running: Sequence[str]) -> Sequence[Order]:
        """Tell which runs the agent has in hand; answers what it is to do."""
