"""What identifies the code of a part: a digest of its files, or its distribution's version.

Of a module of one's own, the files are itself, the packages around it, and what these import from
the same folders; comments and docstrings do not count. Of an installed one they may be thousands,
and its version says the same.
"""

import functools
import os
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from audiocls.parts.modules import ModuleSource, find, own_places
from audiocls.source_code import digest_of_files
from audiocls.source_files import files_of

Stamps = tuple[tuple[str, int, int], ...]
"""Path, time of modification (ns) and bytes of files."""

_known: dict[tuple[str, str], tuple[Stamps, str]] = {}
"""Module and its root → its files as they were read, and their digest: a plan asks for each arm."""


def code_of(module: str) -> str:
    """Return 12 hex digits, or such as `lion-pytorch 0.2.5`.

    Raises `ConfigError` for a module that is not there.
    """
    source = find(module)
    if source.is_installed:
        return _distribution(module.partition(".")[0]) or _digest(source)
    return _digest(source)


def place_of(module: str) -> str:
    """Return the folder, or the distribution, that a module is of."""
    source = find(module)
    installed = _distribution(module.partition(".")[0]) if source.is_installed else ""
    return installed or str(source.root)


def files_of_module(source: ModuleSource) -> tuple[Path, ...]:
    """Return the files that decide what the module computes."""
    path = {"PYTHONPATH": os.pathsep.join([*own_places(), os.environ.get("PYTHONPATH", "")])}
    files = files_of(["-m", source.module], source.root, path)
    return files or (source.file,)


def _digest(source: ModuleSource) -> str:
    key = (source.module, str(source.root))
    stamps, digest = _known.get(key, ((), ""))
    if not stamps or stamps != stamps_of(Path(path) for path, _, _ in stamps):
        files = files_of_module(source)
        digest = digest_of_files(source.root, files)
        _known[key] = stamps_of(files), digest
    return digest


def stamps_of(files: Iterable[Path]) -> Stamps:
    """Return the files as they are now; one that is gone has no bytes."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        stat = file.stat()
    except OSError:
        return str(file), 0, -1
    return str(file), stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=64)
def _distribution(top: str) -> str:
    """Return name and version of the installed distribution that has a top-level package."""
    names = sorted(set(packages_distributions().get(top, ())))
    try:
        return ", ".join(f"{name} {version(name)}" for name in names)
    except PackageNotFoundError:
        return ""
