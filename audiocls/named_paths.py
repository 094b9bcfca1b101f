"""Paths as people name them: on the command line, in YAML, in the command of a program.

Not every word is the name of a file, nor could it be: it is too long, or holds half a character.
`pathlib` raises for some of these and not for others. What may not be looked at is another matter:
`PermissionError` is raised as ever.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

UNFIT = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR})
"""Faults of a name: it is too long, leads in a circle, or through a file as if it were a folder."""
HOMELESS = "Could not determine home directory."
"""What `pathlib` says of `~nobody`."""
MOST_SHOWN = 200
"""Characters of a path in a message."""


def is_file(path: Path) -> bool:
    """Whether there is such a file; not where no file can have the name."""
    return _holds(path.is_file)


def is_dir(path: Path) -> bool:
    """Whether there is such a folder; not where no folder can have the name."""
    return _holds(path.is_dir)


def exists(path: Path) -> bool:
    """Whether there is anything of that name; not where nothing can have it."""
    return _holds(path.exists)


def why_unfit(error: BaseException) -> str | None:
    """Return a sentence on a path that nothing can have; `None` for any other error."""
    if not isinstance(error, OSError) or error.errno not in UNFIT:
        return None
    name = error.filename2 or error.filename
    if not isinstance(name, str | bytes):
        return None
    path = os.fsdecode(name)
    shown = path if len(path) <= MOST_SHOWN else f"{path[:MOST_SHOWN]}…"
    return f"{shown}: {error.strerror}; wanted: a path that a file or folder can have"


def _holds(probe: Callable[[], bool]) -> bool:
    try:
        return probe()
    except ValueError:
        return False
    except OSError as error:
        if error.errno not in UNFIT:
            raise
        return False
