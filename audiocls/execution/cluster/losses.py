"""What Ray says of workers and nodes that are lost: kept in a log, and said in one sentence."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayError

from audiocls.machine.disk import writing

NODE_DIED = "its node has died"
"""By which Ray says that an actor has ended with its node."""
MOST_SAID = 300
"""Characters of an error of Ray's that people are shown."""


def words_of(error: RayError) -> str:
    """Return the words of an error of Ray's that say what has happened."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception): ", line)]
    return (named or lines or [type(error).__name__])[-1 if named else 0][:MOST_SAID]


def loss_of(error: RayError, where: str, log: Path) -> str:
    """Return what has become of a worker, and who goes on; Ray's own words are appended to a file.

    Args:
        error: by which Ray says so.
        where: the worker's node.
        log: the file.
    """
    _append(log, f"{where}: {type(error).__name__}: {error}")
    return (
        f"its worker on {where} {_fate(error)}; another one takes over as soon as a node has room "
        f"(what Ray says is in {log})"
    )


def _fate(error: RayError) -> str:
    if isinstance(error, OutOfMemoryError):
        return "was ended by Ray, since the node's memory ran out"
    if isinstance(error, NodeDiedError) or NODE_DIED in str(error):
        return "is lost with its node"
    if isinstance(error, RayActorError):
        return "does not answer: it was killed, or its node is lost"
    return f"has failed: {words_of(error)}"


def messages_kept(log: Path) -> None:
    """Append to a file what Ray tells of nodes from now on: it prints that by the page."""

    def kept_instead_of(printed: Any) -> Any:
        @functools.wraps(printed)
        def keep(message: Mapping[str, Any], *_: object, **__: object) -> None:
            _append(log, "\n".join(message["lines"]))

        return keep

    _print_by(kept_instead_of)


def messages_printed() -> None:
    """Have Ray print again what it tells of nodes."""
    _print_by(inspect.unwrap)


def _print_by(changed: Callable[[Any], Any]) -> None:
    """Change by what Ray prints its messages."""
    with suppress(ImportError, AttributeError):  # there is no public way, so it may go
        from ray._private import worker as driver

        driver.print_to_stdstream = changed(driver.print_to_stdstream)


def _append(log: Path, text: str) -> None:
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
