"""The one place that imports the module of an own part."""

import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audiocls.errors import ConfigError, did_you_mean
from audiocls.parts.code import Stamps, files_of_module, stamps_of
from audiocls.parts.modules import ModuleSource, find
from audiocls.parts.names import parse

PACKAGE = Path(__file__).parent.parent

_loaded: dict[str, Stamps] = {}
"""Module → its files when it was imported: beside `sys.modules`, which does not know."""


def load(name: str) -> Callable[..., Any]:
    """Import the module of an import string and return its attribute, which can be called.

    Runs the module's code: whoever calls it has a configuration whose origin was checked. Raises
    `ConfigError` for a module that fails, and an attribute that is not there or no callable.
    """
    module, attribute = parse(name)
    source = find(module)
    _forget_outdated(source)
    sys.path[:] = [str(source.root), *(each for each in sys.path if each != str(source.root))]
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        raise ConfigError(name, [f"{module} fails on import: {last_line(error)}"]) from error
    try:
        part = getattr(imported, attribute)
    except AttributeError as error:
        hint = did_you_mean(attribute, vars(imported))
        raise ConfigError(name, [f"{module} has no {attribute!r}.{hint}"]) from error
    if not callable(part):
        fault = f"{attribute} in {module} is a {type(part).__name__}, which cannot be called"
        raise ConfigError(name, [f"{fault}; wanted: a class or a function"])
    return part  # type: ignore[no-any-return]


def _forget_outdated(source: ModuleSource) -> None:
    """Drop a module of that name from elsewhere, or from before an edit, with what it imported."""
    if source.is_installed:
        return
    before, now = _loaded.get(source.module), stamps_of(files_of_module(source))
    top = source.module.partition(".")[0]
    if _is_elsewhere(top, source.root) or before not in (None, now):
        gone = {path for path, _, _ in (*(before or ()), *now)}
        for name, module in list(sys.modules.items()):
            is_of_top = name == top or name.startswith(f"{top}.")
            file = getattr(module, "__file__", None)
            if is_of_top or (file is not None and str(Path(file).resolve()) in gone):
                del sys.modules[name]
    _loaded[source.module] = now


def _is_elsewhere(top: str, root: Path) -> bool:
    """Whether a package of that name was imported from another folder than `root`."""
    known = sys.modules.get(top)
    places = [getattr(known, "__file__", None), *getattr(known, "__path__", ())]
    return any(place and not Path(place).is_relative_to(root) for place in places)


def last_line(error: BaseException) -> str:
    """Return an error's own last line, and where in the user's code it was raised.

    >>> last_line(ValueError("no such width"))
    'ValueError: no such width'
    """
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError):
        return f"{text} ({error.filename}, line {error.lineno})"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_of_user(f.filename)]
    of_user = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{text} ({of_user[-1].filename}, line {of_user[-1].lineno})" if of_user else text


def _is_of_user(filename: str) -> bool:
    """Whether a frame's file is neither ours nor Python's nor an installed package's."""
    path = Path(filename)
    is_elsewhere = filename.startswith("<") or path.is_relative_to(PACKAGE)
    return not is_elsewhere and not path.is_relative_to(Path(traceback.__file__).parent)
