"""The options that a callable takes, read from its module's source: nothing is imported.

A class has the signature of its `__init__`, or of its annotated fields where it is a dataclass or
`Options`. What a module imports from another file is followed there. Where the source does not
tell (`**kwargs`, decorators, a name that is assigned), nothing is claimed: the part is tried
before its first trial anyway.
"""

import ast
import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.errors import ConfigError, did_you_mean
from audiocls.parts.annotations import fault_of
from audiocls.parts.code import stamps_of
from audiocls.parts.modules import find
from audiocls.parts.names import parse

MOST_HOPS = 8
"""Modules through which an imported name is followed."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Parameter:
    """One parameter of a callable."""

    name: str
    has_default: bool
    annotation: str = ""
    """As it is written; empty where there is none."""


@dataclass(frozen=True)
class Signature:
    """What a callable takes; `summary` is the first line of its docstring."""

    parameters: tuple[Parameter, ...]
    takes_any: bool = False
    """Whether further keywords are accepted (`**kwargs`)."""
    has_rest: bool = False
    """Whether further arguments without a name are accepted (`*args`)."""
    is_class: bool = False
    summary: str = ""

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.parameters]

    def takes(self, name: str) -> bool:
        """Whether the callable accepts a keyword of that name."""
        return self.takes_any or name in self.names

    def faults(self, options: Mapping[str, Any], given: Collection[str]) -> list[str]:
        """Return what is wrong with options, where `given` is what every call passes besides."""
        known = [name for name in self.names if name not in given]
        faults = [
            f"{key}: unknown option.{did_you_mean(key, known)} Known here: "
            f"{', '.join(known) or 'none'}"
            for key in options
            if not self.takes(key) or key in given
        ]
        for each in self.parameters:
            if each.name in options:
                faults += fault_of(each.name, options[each.name], each.annotation)
            elif not each.has_default and each.name not in given:
                faults.append(f"{each.name}: missing, and it has no default")
        return faults


def signature_of(name: str) -> Signature | None:
    """Return the signature of an import string's attribute; none where the source does not tell.

    Raises `ConfigError` for a module or an attribute that is not there.
    """
    node = definition_of(name)
    return None if node is None else _signature(node)


def definition_of(name: str) -> Definition | None:
    """Return the class or function that an import string means, followed within its package.

    None where the source does not tell, or where another package defines it. Raises `ConfigError`
    for a module or an attribute that is not there.
    """
    module, attribute = parse(name)
    top = module.partition(".")[0]
    for _ in range(MOST_HOPS):
        file = find(module).file
        if file.suffix != ".py":
            return None
        contents = _contents(file, stamps_of([file]))
        if attribute in contents.definitions:
            return contents.definitions[attribute]
        if attribute not in contents.imported:
            if contents.is_closed:
                hint = did_you_mean(attribute, [*contents.definitions, *contents.imported])
                raise ConfigError(name, [f"{module} has no {attribute!r}.{hint}"])
            return None
        origin, level, attribute = contents.imported[attribute]
        module = _absolute(origin, level, module, is_package=file.stem == "__init__")
        if module.partition(".")[0] != top:
            return None
    return None


@dataclass(frozen=True)
class Contents:
    """The names that a module defines, and those that it imports from others."""

    definitions: Mapping[str, Definition]
    imported: Mapping[str, tuple[str, int, str]]
    """Name here → module, number of leading dots, name there."""
    is_closed: bool
    """Whether the module can hold no other name."""


@functools.lru_cache(maxsize=256)
def _contents(file: Path, stamps: object) -> Contents:
    """Read a module's source; `stamps` says as of when."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError, RecursionError) as error:
        where = f"{file}, line {getattr(error, 'lineno', 0)}"
        fault = f"is no Python that can be read: {getattr(error, 'msg', error)} ({where})"
        raise ConfigError(str(file), [fault]) from error
    definitions, imported, is_closed = {}, {}, True
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                definitions[node.name] = node
                is_closed &= node.name != "__getattr__"
            case ast.ImportFrom():
                for alias in node.names:
                    imported[alias.asname or alias.name] = (
                        node.module or "",
                        node.level,
                        alias.name,
                    )
                    is_closed &= alias.name != "*"
            case ast.Import() | ast.Expr():
                pass
            case _:  # what is assigned, or depends on a condition
                is_closed = False
    return Contents(definitions, imported, is_closed)


def _absolute(origin: str, level: int, module: str, is_package: bool) -> str:
    if level == 0:
        return origin
    words = module.split(".")
    above = words[: len(words) - level + is_package]
    return ".".join([*above, *filter(None, [origin])])


def _signature(node: Definition) -> Signature | None:
    summary = (ast.get_docstring(node) or "").partition("\n")[0]
    if not isinstance(node, ast.ClassDef):
        return None if node.decorator_list else _of_function(node, summary, skipped=0)
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            return _of_function(inner, summary, skipped=1)
    is_record = any("dataclass" in ast.unparse(each) for each in node.decorator_list)
    if not is_record and not _is_options(node):
        return None  # the signature is inherited
    return Signature(tuple(_fields(node)), is_class=True, summary=summary)


def _is_options(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("Options") for base in node.bases)


def _fields(node: ast.ClassDef) -> Iterator[Parameter]:
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            annotation = ast.unparse(each.annotation)
            if not annotation.startswith("ClassVar"):
                yield Parameter(each.target.id, each.value is not None, annotation)


def _of_function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, summary: str, skipped: int
) -> Signature:
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    first_default = len(positional) - len(args.defaults)
    rows = [(arg, index >= first_default) for index, arg in enumerate(positional)][skipped:]
    rows += [(a, d is not None) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    parameters = tuple(
        Parameter(arg.arg, has_default, ast.unparse(arg.annotation) if arg.annotation else "")
        for arg, has_default in rows
    )
    is_open = args.kwarg is not None, args.vararg is not None
    return Signature(parameters, *is_open, bool(skipped), summary)
