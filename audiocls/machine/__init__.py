"""Faults of the machine, as distinct from a trial's own: full disks, refused folders, memory.

What counts as the machine's: no room (also a quota, inodes, a file larger than allowed), a disk
that is read-only or fails, too many open files or processes, and memory, if what was requested
would have fitted on this machine without its other programs. A trial that needs more than the whole
machine has, or more than its accelerator, has failed by itself.
"""

from pathlib import Path

from audiocls.errors import MachineFault
from audiocls.machine.disk import fault_in, fault_of_system, reserve, writing
from audiocls.machine.memory import fault_of_memory

__all__ = ["fault_in", "fault_of", "reserve", "writing"]


def fault_of(error: BaseException, *folders: Path) -> MachineFault | None:
    """Return the fault of the machine that led to `error`; `None` if there is none.

    `folders` are those that must be writable: one of them that refuses is the machine's fault, and
    the fullest is named where an error does not say which file it was.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MachineFault):
            return cause
        if isinstance(cause, OSError):
            fault = fault_of_system(cause, folders)
        else:
            fault = fault_of_memory(cause)
        if fault is not None:
            return fault
        cause = cause.__cause__ or cause.__context__
    return None
