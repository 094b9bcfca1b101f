"""Ray as its executor asks for it, answered at once in this process, but for nodes that die."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audiocls.execution.cluster import dispatch, shipments, tables
from audiocls.parts.modules import PLACES


class HereAndNow:
    """The process that makes data, run in this one."""

    def __init__(self, words: Sequence[str], **_: Any):
        dispatch.main(Path(words[-1]))

    def wait(self) -> int:
        return 0

    def kill(self) -> None:
        """It has ended."""


def nodes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers of nodes live in this process, whose environment they change."""
    monkeypatch.setattr(dispatch.subprocess, "Popen", HereAndNow)
    monkeypatch.setattr(shipments, "WAIT_S", 0.0)
    for name in (tables.TABLES, PLACES):
        monkeypatch.setenv(name, "")


class RayHere:
    """What `RayExecutor` calls of the module `ray`; `node` makes the worker of each actor."""

    def __init__(self, node: Callable[[], Any]):
        self.node = node
        self.actors: list[Actor] = []

    def remote(self, kind: type) -> "RayHere":
        return self

    def options(self, **_: Any) -> SimpleNamespace:
        def remote(setup: object, get: object) -> Actor:
            self.actors.append(Actor(self.node()))
            return self.actors[-1]

        return SimpleNamespace(remote=remote)

    @staticmethod
    def put(value: Any) -> Any:
        return value

    @staticmethod
    def get(answer: Any) -> Any:
        if not isinstance(answer, Answer):
            return answer
        if not answer.actor.is_alive:
            raise pytest.importorskip("ray.exceptions").ActorDiedError
        return answer.value

    def wait(
        self, calls: Sequence["Answer"], num_returns: int, timeout: float
    ) -> tuple[Sequence["Answer"], Sequence["Answer"]]:
        return calls[:num_returns], calls[num_returns:]

    def kill(self, actor: "Actor") -> None:
        actor.is_alive = False


@dataclass(eq=False)
class Actor:
    """A worker whose methods are called by `remote`."""

    worker: Any
    is_alive: bool = True
    called: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> SimpleNamespace:
        method = getattr(self.worker, name)

        def remote(*given: Any) -> Answer:
            self.called.append((name, given))
            return Answer(self, method(*given) if self.is_alive else None)

        return SimpleNamespace(remote=remote)


@dataclass(eq=False)
class Answer:
    """What an actor will have answered."""

    actor: Actor
    value: Any
