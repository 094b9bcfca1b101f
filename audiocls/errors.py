"""The errors that audiocls raises on purpose, with the exit code of the command line for each.

    AudioclsError               1   any expected failure
    ├── ConfigError             2   a recipe, ablation, sweep or override: all its errors at once
    │   └── OverBudget          2   a model that costs more than its budget allows
    ├── UsageError              2   a command that cannot act on its arguments
    ├── DataError               2   a data set or a clip
    │   ├── Damaged             2   a stored file whose content is not what was written
    │   ├── InvalidClipTable    2   clip ids, labels, folds or splits that contradict each other
    │   └── Unreachable         2   a download that does not come through
    ├── Diverged                1   a training whose loss is not finite
    ├── LeaseLost               1   writing what another launch has taken over
    ├── MachineFault           75   a full disk, a refused folder, no memory: free some, try again
    ├── NotComparable           4   a report in which no arm can be compared
    ├── PermissionDenied        2   a W&B server that refuses the key or the request
    ├── SweepNotFound           2   a sweep, project or run that the server does not have
    └── ServerUnavailable      75   a W&B server that does not answer: try again later

A message says what was wrong, where, what was got, what is allowed and what to do next. The
library raises; only the command line prints and exits.
"""

import difflib
from collections.abc import Iterable


class AudioclsError(Exception):
    """The root of the tree: catch this to catch every expected failure.

    >>> import audiocls
    >>> try:
    ...     audiocls.plan("dropuot")
    ... except audiocls.AudioclsError as error:
    ...     print(str(error).partition(";")[0])
    no ablation or sweep is called 'dropuot'
    """

    exit_code = 1


class ConfigError(AudioclsError):
    """A recipe, ablation or override that cannot be run as written, with *all* its errors."""

    exit_code = 2

    def __init__(self, where: str, faults: Iterable[str]):
        self.where = where
        self.faults = list(faults)
        super().__init__("\n".join([f"{where}:", *(f"  - {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, list[str]]]:
        return ConfigError, (self.where, self.faults)


class OverBudget(ConfigError):
    """A model that costs more than its budget allows: where models are compared, a result."""

    def __init__(self, where: str, faults: Iterable[str], share: str):
        super().__init__(where, faults)
        self.share = share

    def __reduce__(self) -> tuple[type["OverBudget"], tuple[str, list[str], str]]:  # type: ignore[override]
        return OverBudget, (self.where, self.faults, self.share)


class UsageError(AudioclsError):
    """A command that was given something it cannot act on."""

    exit_code = 2


class DataError(AudioclsError):
    """A data set or a clip that cannot be used; the message names the file."""

    exit_code = 2


class MachineFault(AudioclsError):
    """A machine that cannot go on: a full or read-only disk, too many open files, no memory.

    What was finished is kept, and the same command goes on where it was once that is mended.
    """

    exit_code = 75


class NotComparable(AudioclsError):
    """A report in which no arm may be compared with the baseline."""

    exit_code = 4


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the closest known name, or an empty text."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
