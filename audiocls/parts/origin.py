"""Who named a part, and so whether its module may be run: a security boundary.

To name a part is to run its module. What the user names on the command line, and the files that
are named there, are trusted as a script is. A server or a checkpoint may name anything, and runs
only modules that the user trusts: by `--trust PACKAGE`, `AUDIOCLS_TRUST=a,b`, or because his own
files name the very same part. The check comes before anything is looked for, let alone imported.
"""

import os
import re
from collections.abc import Collection, Iterable, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls.errors import ConfigError, UsageError
from audiocls.parts.names import parse

ENCODER = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
"""A repository of the Hub, whose own code an encoder may need."""
TRUST = "AUDIOCLS_TRUST"
"""Environment variable of trusted packages, separated by commas; workers inherit it."""


@dataclass(frozen=True)
class Origin:
    """Where a configuration is from."""

    place: str = "a source that is not known"
    """For the message: a file, or a sweep on a server."""
    is_trusted: bool = False
    keeps_code: bool = False
    """Whether parts keep the digests of their code: a stored configuration says what was run."""
    names: frozenset[str] = frozenset()
    """Parts that the user's own files name, and so may be named by others as well."""

    def refusal(self, name: str) -> str:
        """Return why the module of an import string may not be run; empty if it may.

        Raises `ConfigError` for a name that is spelled otherwise.
        """
        module, _ = parse(name)
        if not self.is_foreign_to(name) or is_trusted_module(module):
            return ""
        top = module.partition(".")[0]
        return (
            f"{name!r} would run code of the module {module}, and it is named by {self.place}, not "
            f"by a file of yours. Nothing of it was looked for or run. If you trust the module, "
            f"wherever it is found here: --trust {top}, or {TRUST}={top}"
        )

    def is_foreign_to(self, name: str) -> bool:
        """Whether somebody else names this part, and no file of the user's does."""
        return not self.is_trusted and name not in self.names

    def knowing(self, names: Collection[str]) -> "Origin":
        """Return this origin, which may name these parts of the user's own files as well."""
        return replace(self, names=self.names | frozenset(names))


OWN_FILES = Origin("your files", is_trusted=True)
"""Files and options that the user named on the command line."""
KEPT = Origin("your studies", is_trusted=True, keeps_code=True)
"""A configuration that was checked before: a job that a launch sends to its workers."""


def of_checkpoint(file: Path) -> Origin:
    """Return the origin of the configuration beside a checkpoint's weights."""
    return Origin(f"the checkpoint {file}", keeps_code=True)


def of_server(place: str) -> Origin:
    """Return the origin of what a W&B server orders, such as `sweep me/birds/abc`."""
    return Origin(place)


def is_trusted_module(module: str) -> bool:
    """Whether the module is one of the packages that the user trusts, or lies in one."""
    return any(module == each or module.startswith(f"{each}.") for each in trusted_packages())


def is_trusted_encoder(repository: str) -> bool:
    """Whether the user trusts the code in this repository of the Hub."""
    return bool(repository) and repository in trusted_packages()


def trusted_packages() -> list[str]:
    """Return the packages in `AUDIOCLS_TRUST`, and the repositories of encoders."""
    words = (word.strip() for word in os.environ.get(TRUST, "").split(","))
    return list(dict.fromkeys(filter(None, words)))


def trust(packages: Iterable[str], environment: MutableMapping[str, str] | None = None) -> None:
    """Trust these packages in this process, and in the workers that it starts.

    Raises `UsageError` for what is no package's name, and for the standard library.
    """
    known = os.environ if environment is None else environment
    for package in packages:
        try:
            if not ENCODER.fullmatch(package):
                parse(f"{package}:part")
        except ConfigError as error:
            fault = f"--trust: got {package!r}; wanted: a package that holds parts, such as my_pkg"
            raise UsageError(fault) from error
        known[TRUST] = ",".join(filter(None, [known.get(TRUST, ""), package]))
