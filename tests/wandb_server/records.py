"""What the server remembers, as plain records."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

ENTITY, USER = "local", "tester"

RunState = Literal[
    "pending", "running", "finished", "failed", "crashed", "killed", "preempting", "preempted"
]
SweepState = Literal["PENDING", "RUNNING", "PAUSED", "FINISHED", "CANCELED"]
Place = tuple[str, str]
"""An entity and a project."""


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(kind: str, *parts: str) -> str:
    """A global id in W&B's form."""
    return base64.b64encode(f"{kind}:v1:{':'.join(parts)}".encode()).decode()


def fresh_name() -> str:
    return secrets.token_hex(4)


@dataclass
class Run:
    """A run, as its process and its agent have told of it."""

    id: str
    project: str
    entity: str = ENTITY
    display_name: str = ""
    state: RunState = "running"
    wrapped_config: dict[str, Any] = field(default_factory=dict)
    """As sent: each value under the key `value`."""
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    sweep: str | None = None
    group: str = ""
    job_type: str = ""
    notes: str = ""
    description: str = ""
    tags: list[str] = field(default_factory=list)
    host: str = ""
    program: str = ""
    commit: str = ""
    exit_code: int | None = None
    agent: str | None = None
    used_artifacts: list[str] = field(default_factory=list)
    proposal: dict[str, Any] | None = None
    """The parameters that the sweep has chosen, wrapped; none for runs that it did not start."""
    is_reported: bool = False
    """Whether its own process has spoken."""
    is_to_stop: bool = False
    created_at: str = field(default_factory=now)
    heartbeat_at: str = field(default_factory=now)

    @property
    def config(self) -> dict[str, Any]:
        """What the user has set, without what W&B adds."""
        return {k: v for k, v in unwrapped(self.wrapped_config).items() if k != "_wandb"}

    @property
    def key(self) -> str:
        return key_of("Run", self.id, self.project, self.entity)

    @property
    def place(self) -> Place:
        return self.entity, self.project


@dataclass
class Sweep:
    """A sweep with its configuration as text and as mapping."""

    id: str
    project: str
    entity: str
    text: str
    config: dict[str, Any]
    state: SweepState = "PENDING"
    display_name: str = ""
    description: str = ""
    controller: str = "{}"
    scheduler: str = "{}"
    run_ids: list[str] = field(default_factory=list)
    """In order of creation, those attached from before among them."""
    prior_runs: list[str] = field(default_factory=list)
    created_at: str = field(default_factory=now)

    @property
    def key(self) -> str:
        return key_of("Sweep", self.id, self.project, self.entity)

    @property
    def place(self) -> Place:
        return self.entity, self.project


@dataclass
class Agent:
    """One agent of a sweep."""

    id: str
    sweep: str
    host: str
    seen: set[str] = field(default_factory=set)
    """Runs that it has once reported as its own."""
    created_at: str = field(default_factory=now)
    heartbeat_at: str = field(default_factory=now)


@dataclass
class Artifact:
    """One version of a collection."""

    id: str
    project: str
    entity: str
    name: str
    type: str
    version: int
    digest: str
    client_id: str = ""
    state: Literal["PENDING", "COMMITTED"] = "PENDING"
    run: str | None = None
    aliases: list[str] = field(default_factory=list)
    metadata: str | None = None
    description: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes | None = None
    created_at: str = field(default_factory=now)

    @property
    def place(self) -> Place:
        return self.entity, self.project


@dataclass
class View:
    """A report or a workspace."""

    id: str
    project: str
    entity: str
    type: str
    name: str
    display_name: str = ""
    description: str = ""
    text: str = "{}"
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)

    @property
    def spec(self) -> dict[str, Any]:
        return dict(json.loads(self.text))

    @property
    def place(self) -> Place:
        return self.entity, self.project


def unwrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    """Values from under their key `value`."""
    return {
        name: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for name, entry in config.items()
    }
