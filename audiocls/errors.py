"""Every error that audiocls raises on purpose, and the exit code each one maps to.

A message says what was wrong, where, what was got, what is allowed and what to do next. The
library raises; only the command line prints and exits.
"""

import difflib
from collections.abc import Iterable


class AudioclsError(Exception):
    """The root of the tree: catch this to catch every expected failure."""

    exit_code = 1


class ConfigError(AudioclsError):
    """A recipe, ablation or override that cannot be run as written; carries *all* its faults."""

    exit_code = 2

    def __init__(self, where: str, faults: Iterable[str]):
        self.where = where
        self.faults = list(faults)
        super().__init__("\n".join([f"{where}:", *(f"  - {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, list[str]]]:
        return ConfigError, (self.where, self.faults)


class UsageError(AudioclsError):
    """A command that was given something it cannot act on."""

    exit_code = 2


class DataError(AudioclsError):
    """A data set or a clip that cannot be used; the message names the file."""

    exit_code = 2


class NotComparable(AudioclsError):
    """A report in which no arm may be compared with the baseline."""

    exit_code = 4


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'x'?"` for the closest known name, or an empty text."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
