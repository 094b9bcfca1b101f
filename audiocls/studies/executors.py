"""Executors of this machine, opened on the slots that a launch has claimed."""

import threading
from pathlib import Path
from typing import Any

from audiocls import extras
from audiocls.execution.device_claims import ClaimedSlots
from audiocls.execution.devices import PerDevice
from audiocls.execution.executors import Executor
from audiocls.execution.fork_server import ForkServer
from audiocls.execution.temporary import cache_folder

TRAINING = "training a recipe"
"""Which no base install can do; what it has planned until then is kept."""


def open_inline(slots: ClaimedSlots, stop: threading.Event) -> Executor[Any]:
    """Return an executor that trains in this process, on the first slot."""
    extras.require("train", TRAINING)
    from audiocls.execution.executors.inline import InlineExecutor

    cache = cache_folder().absolute()
    return InlineExecutor(cache, stop, slots.devices[0], slots.release)


def open_local(
    slots: ClaimedSlots,
    log: Path,
    fork_server: ForkServer | None = None,
    pack: PerDevice = 1,
) -> Executor[Any]:
    """Return an executor with a worker process for each slot; `log` gets their output."""
    extras.require("train", TRAINING)
    from audiocls.execution.executors.local import LocalExecutor

    cache = cache_folder().absolute()
    return LocalExecutor(
        slots.devices,
        cache,
        log,
        release=slots.release,
        fork_server=fork_server,
        per_device=pack,
    )


def open_programs(slots: ClaimedSlots) -> Executor[Any]:
    """Return an executor that runs one program a slot."""
    from audiocls.execution.executors.subprocesses import SubprocessExecutor

    return SubprocessExecutor(slots.devices, release=slots.release)
