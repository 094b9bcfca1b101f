"""`Server`: the stand-in as tests see it."""

import copy
import json
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wandb_server import sweeps
from wandb_server.document import parse
from wandb_server.faults import Fault, Faults
from wandb_server.listener import Answer, Asked, Listener
from wandb_server.records import ENTITY, Artifact, Run, Sweep, SweepState, View
from wandb_server.routes import respond
from wandb_server.state import Refused, State

IMPATIENT = {
    "WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "1",
    "WANDB__FILE_STREAM_RETRY_WAIT_MIN_SECONDS": "1",
    "WANDB__FILE_TRANSFER_RETRY_WAIT_MIN_SECONDS": "1",
    "WANDB__GRAPHQL_RETRY_WAIT_MIN_SECONDS": "1",
}
"""The client sends rows, and tries again, as soon as it can: it knows whole seconds alone."""


@dataclass(frozen=True)
class Request:
    """One request that came in, and what it was answered."""

    operation: str
    """The GraphQL operation's name, or the path."""
    status: int


class Server:
    """Speaks W&B's protocol on a free port of this machine, and remembers what it was told.

    What its methods return are copies; what they say of a run holds at the time of the call.
    """

    key = "k" * 40
    entity = ENTITY

    def __init__(self) -> None:
        self._state = State()
        self._faults = Faults()
        self.requests: list[Request] = []
        self.unknown: list[str] = []
        """Operations and fields that were asked for and are not there."""
        self._listener: Listener | None = Listener(self._serve)
        self._port = self._listener.port
        self.url = self._state.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Go away: connections are cut, further ones refused."""
        self._faults.heal()
        if self._listener:
            self._listener.close()
        self._listener = None

    def reopen(self) -> None:
        """Come back on the same port with the same memory."""
        if self._listener is None:
            self._listener = Listener(self._serve, self._port)

    def environment(self, folder: Path) -> dict[str, str]:
        """Variables under which a process knows this server and keeps its files in `folder`."""
        places = ("DIR", "CACHE_DIR", "CONFIG_DIR", "DATA_DIR", "ARTIFACT_DIR")
        folders = {f"WANDB_{place}": folder / place.lower() for place in places}
        for each in folders.values():
            each.mkdir(parents=True, exist_ok=True)
        return {name: str(each) for name, each in folders.items()} | {
            **IMPATIENT,
            "HOME": str(folder),
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": self.key,
            "WANDB_ENTITY": self.entity,
            "WANDB_ERROR_REPORTING": "false",
        }

    def runs(self, project: str | None = None) -> list[Run]:
        return self._copies(self._state.runs, project)

    def run(self, run_id: str) -> Run:
        return next((run for run in self.runs() if run.id == run_id), None) or _absent(run_id)

    def sweeps(self, project: str | None = None) -> list[Sweep]:
        return self._copies(self._state.sweeps, project)

    def sweep(self, sweep_id: str) -> Sweep:
        with self._state.lock:
            return copy.deepcopy(self._state.sweeps[sweep_id])

    def artifacts(self, project: str | None = None) -> list[Artifact]:
        return self._copies(self._state.artifacts, project)

    def views(self, project: str | None = None) -> list[View]:
        return self._copies(self._state.views, project)

    def fail(
        self, match: str, status: int = 500, times: int | None = None, for_s: float | None = None
    ) -> None:
        """Answer requests with an error; `match` is part of their path or operation's name."""
        self._faults.add(_fault(match, status, 0.0, times, for_s))

    def stall(self, match: str, seconds: float, times: int | None = None) -> None:
        """Answer requests late."""
        self._faults.add(_fault(match, 200, seconds, times, None))

    def heal(self) -> None:
        """End all faults."""
        self._faults.heal()

    def stop_run(self, run_id: str) -> None:
        """As its stop button does."""
        with self._state.lock:
            found = [run for run in self._state.runs.values() if run.id == run_id]
            (found[0] if found else _absent(run_id)).is_to_stop = True

    def set_sweep(self, sweep_id: str, state: SweepState) -> None:
        with self._state.lock:
            sweeps.set_state(self._state, self._state.sweeps[sweep_id], state)

    def delete_sweep(self, sweep_id: str) -> None:
        with self._state.lock:
            del self._state.sweeps[sweep_id]

    def _copies(self, shelf: dict[Any, Any], project: str | None) -> list[Any]:
        with self._state.lock:
            return [copy.deepcopy(x) for x in shelf.values() if project in (None, x.project)]

    def _serve(self, asked: Asked) -> Answer:
        operation = _operation(asked)
        status = self._faults.status(f"{asked.path} {operation}")
        answer = self._answer(asked) if status == 200 else (status, _errors("as the test asks"))
        self.requests.append(Request(operation, answer[0]))
        return answer

    def _answer(self, asked: Asked) -> Answer:
        if asked.key != self.key and not asked.path.startswith("/storage/"):
            return 401, _errors("the API key is not known")
        try:
            with self._state.lock:
                return 200, respond(asked, self._state, self.unknown.append)
        except Refused as refused:
            return refused.status, _errors(str(refused))
        except Exception:  # our own mistake, or something odd was sent: tests see it, clients go on
            self.unknown.append(f"{_operation(asked)}: {traceback.format_exc()}")
            return 400, _errors("the stand-in failed")


def _operation(asked: Asked) -> str:
    is_graphql = asked.path == "/graphql"
    return parse(json.loads(asked.body)["query"]).name if is_graphql else asked.path


def _fault(
    match: str, status: int, delay_s: float, times: int | None, for_s: float | None
) -> Fault:
    endless = float("inf")
    until_s = endless if for_s is None else time.monotonic() + for_s
    return Fault(match, status, delay_s, endless if times is None else times, until_s)


def _errors(reason: str) -> bytes:
    return json.dumps({"errors": [{"message": reason}], "data": None}).encode()


def _absent(run_id: str) -> Any:
    raise KeyError(run_id)
