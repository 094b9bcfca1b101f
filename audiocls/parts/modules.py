"""Modules of own parts, found without running anything.

They are looked for in the working directory, then in the folders of `--path` and of the recipes
that were read, then where Python looks. A package's `__init__` runs when it is imported, and
`importlib.util.find_spec` imports the packages around a module; `find` does not.
"""

import importlib
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocls.errors import ConfigError

PLACES = "AUDIOCLS_PATH"
"""Environment variable of folders with modules; workers inherit it."""
IMPLIED = "AUDIOCLS_PATH_IMPLIED"
"""Those of them that nobody named: who names the files that lie there need not name them."""
INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class ModuleSource:
    """A module's file, and the folder from which its name leads there."""

    module: str
    file: Path
    root: Path

    @property
    def is_installed(self) -> bool:
        """Whether it is part of an installed distribution, and not of somebody's own folder."""
        return any(part in INSTALLED for part in self.file.parts)


def add_places(folders: Sequence[Path], beside_files: bool = False) -> None:
    """Look for modules in these folders too, here and in the workers that this process starts.

    Args:
        beside_files: whether nobody named the folders, and files that were named lie in them.
    """
    new = [str(folder.resolve()) for folder in folders]
    implied = [each for each in _listed(IMPLIED) if beside_files or each not in new]
    added = [each for each in new if beside_files and each not in _listed(PLACES)]
    _list(PLACES, [*_listed(PLACES), *new])
    _list(IMPLIED, [*implied, *added])


def named_places() -> list[str]:
    """Return the folders that `--path` or the environment names."""
    return [each for each in _listed(PLACES) if each not in _listed(IMPLIED)]


def _listed(variable: str) -> list[str]:
    return [each for each in os.environ.get(variable, "").split(os.pathsep) if each]


def _list(variable: str, folders: Sequence[str]) -> None:
    os.environ[variable] = os.pathsep.join(dict.fromkeys(folders))


def own_places() -> list[str]:
    """Return the folders of the user's own modules: the working directory first."""
    return list(dict.fromkeys([str(Path.cwd()), *_listed(PLACES)]))


def find(module: str) -> ModuleSource:
    """Return where a module lies; nothing is imported, the packages around it included.

    Raises `ConfigError` for a module that is not there, or has no file.
    """
    importlib.invalidate_caches()
    words, path = module.split("."), [*own_places(), *(each for each in sys.path if each)]
    origin: str | None = None
    for depth in range(1, len(words) + 1):
        name = ".".join(words[:depth])
        spec = _spec(name, path, is_top=depth == 1)
        if spec is None:
            raise ConfigError(module, [_missing(name, module)])
        path, origin = list(spec.submodule_search_locations or []), spec.origin
    if not origin or not Path(origin).is_file():
        why = f"{module} is a folder without __init__.py, which holds no attribute"
        raise ConfigError(module, [f"{why}; name the module in it"])
    file = Path(origin)
    above = len(words) + (file.stem == "__init__")
    return ModuleSource(module, file, file.parents[above - 1])


def _spec(name: str, path: Sequence[str], is_top: bool) -> importlib.machinery.ModuleSpec | None:
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    if spec is not None and (spec.origin or not is_top):
        return spec
    # Editable installations have finders of their own. For a top-level name none imports anything.
    for finder in sys.meta_path if is_top else ():
        if finder not in (importlib.machinery.PathFinder, importlib.machinery.FrozenImporter):
            module_spec = finder.find_spec(name, None)
            if module_spec is not None and module_spec.origin != "built-in":
                return module_spec
    return spec


def _missing(name: str, module: str) -> str:
    places = " or in ".join(own_places())
    inside = "" if name == module or name == module.partition(".")[0] else f" (of {module!r})"
    return (
        f"no module {name!r}{inside} on the path or in {places}; run this where the module lies, "
        "name its folder by --path DIR, or install it"
    )
