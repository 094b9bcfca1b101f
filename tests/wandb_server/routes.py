"""Paths: GraphQL, the file streams of runs, and the files themselves."""

import json
from collections.abc import Callable
from typing import Any

from wandb_server.history import stream
from wandb_server.listener import Asked
from wandb_server.schema import answer
from wandb_server.state import Refused, State

Miss = Callable[[str], None]


def respond(asked: Asked, state: State, miss: Miss) -> bytes:
    """The body of the answer; `miss` hears of what is not there."""
    first, *rest = asked.path.strip("/").split("/")
    if first == "graphql":
        sent: dict[str, Any] = json.loads(asked.body)
        found = answer(sent["query"], sent.get("variables") or {}, state, miss)
        return json.dumps({"data": found}).encode()
    if first == "files" and rest[-1] == "file_stream":
        run = state.known_run((rest[0], rest[1]), rest[2])
        return json.dumps(stream(run, json.loads(asked.body))).encode()
    if first == "storage" and rest[0] == "manifests":
        return _manifest(asked, state, rest[1])
    if first == "storage":
        files, name = _folder(state, *rest)
        return _file(asked, files, name)
    miss(f"{asked.method} {asked.path}")
    raise Refused(404, f"this server has no path {asked.path}")


def _manifest(asked: Asked, state: State, key: str) -> bytes:
    artifact = state.artifact(key)
    if asked.method == "PUT":
        artifact.manifest = asked.body
    return artifact.manifest or b""


def _folder(state: State, kind: str, *rest: str) -> tuple[dict[str, bytes], str]:
    """The files of a run or an artifact, and the name of one."""
    if kind == "artifacts":
        return state.artifact(rest[0]).files, "/".join(rest[1:])
    return state.known_run((rest[0], rest[1]), rest[2]).files, "/".join(rest[3:])


def _file(asked: Asked, files: dict[str, bytes], name: str) -> bytes:
    if asked.method == "PUT":
        files[name] = asked.body
    if name not in files:
        raise Refused(404, f"there is no file {name}")
    return files[name]
