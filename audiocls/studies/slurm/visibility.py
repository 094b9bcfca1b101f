"""Whether compute nodes see the folders that the tasks of a job array need, as far as can be told.

What a node sees is known there alone. But memory and temporary folders of this machine are seen by
no other one, and a disk of it only where it is exported.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.execution.slurm import commands
from audiocls.formatting import join_names
from audiocls.machine.disk import file_system

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
ON_DISK = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "overlay"})
"""File systems of one machine, which may export them to others. ZFS is left out: as often as not
it is a server's."""
MOST_HOSTS = 3


def unseen_notes(folders: Mapping[str, Path], partitions: str = "") -> Iterator[str]:
    """Yield a sentence for each folder on a disk of this machine, which nodes may not see.

    Args:
        folders: what each is called → where it is.
        partitions: those that tasks may run in; of none, the cluster's own choice.

    Raises `UsageError` for one that no other machine can see, where tasks may run on others.
    """
    kinds = {name: file_system(folder) for name, folder in folders.items()}
    local = {name: kind for name, kind in kinds.items() if kind in IN_MEMORY | ON_DISK}
    if not local or not (hosts := commands.other_hosts(partitions)):
        return
    nodes = f"compute nodes ({join_names(hosts, MOST_HOSTS)})"
    for name, kind in local.items():
        where = f"{name}: {folders[name]} lies"
        if kind in IN_MEMORY or _is_temporary(folders[name]):
            raise UsageError(
                f"{where} in this machine's own {_place(kind)}, which {nodes} do not see; "
                "wanted: a folder on the cluster's shared file system"
            )
        yield (
            f"{where} on a disk of this machine ({kind}): where it is not exported to {nodes}, "
            "tasks end at once and without a log"
        )


def _is_temporary(folder: Path) -> bool:
    """Whether a folder is below one that every machine has for itself."""
    own = {"/tmp", "/var/tmp", tempfile.gettempdir()}
    return any(folder.resolve().is_relative_to(Path(each).resolve()) for each in own)


def _place(kind: str) -> str:
    return f"memory ({kind})" if kind in IN_MEMORY else f"temporary folder ({kind})"
