"""When a fork server begins: as early as it is known that workers will be forked.

Importing torch takes longer than all that a launch imports and plans, and goes on beside it. So
nothing that a launch alone needs is imported here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.execution.devices import slots, worker_environment
from audiocls.execution.fork_server import ForkServer, is_possible

NEEDED_LATER = ("torch._dynamo",)
"""What torch imports when it is first used, in every process that uses it."""


@contextmanager
def begun(
    executor: str, devices: str, num_workers: int | None, per_trial: int, runs: Path, name: str
) -> Iterator[ForkServer | None]:
    """Yield a fork server, as long as the context is open; None where it is not safe.

    It begins at once for a study that was never launched. One whose folder in `runs` is there may
    have no trial left to train: there it begins with the first worker.

    Args:
        executor, devices, num_workers, per_trial: options of a launch.
        name: of the study; before it is known, of the file, after which most are called.
    """
    if not (_is_on_cpu(executor, devices, num_workers, per_trial) and is_possible()):
        yield None
        return
    server = ForkServer(worker_environment(os.environ, "cpu"), NEEDED_LATER)
    try:
        if not _is_there(runs / Path(name).name.removesuffix(".yaml").removesuffix(".yml")):
            server.begin()
        yield server
    finally:
        server.close()


def _is_on_cpu(executor: str, devices: str, num_workers: int | None, per_trial: int) -> bool:
    """Whether processes on this machine's cores train; not where the options are at fault."""
    with suppress(UsageError):
        return executor == "local" and set(slots(devices, num_workers, False, per_trial)) == {"cpu"}
    return False


def _is_there(folder: Path) -> bool:
    with suppress(OSError):  # a name too long, which is refused when it is read
        return folder.exists()
    return True
