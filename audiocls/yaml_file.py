"""YAML files: read with line numbers and clear errors, written for people to read.

Only this module imports PyYAML. PyYAML reads `1e-3` as text; numeric fields of `Options` accept
numeric text for that reason.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from audiocls.errors import ConfigError

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Key = tuple[Hashable, ...]
"""The path to a value: names in mappings and positions in lists, from the outermost inwards."""

Lines = Mapping[Key, int]
"""The line, counted from 1, on which each value of a document begins."""

LEADING_ZERO = re.compile(r"0\d+")
"""Text such as `008`, which other readers of YAML take for a number."""


class Dumper(BaseDumper):  # type: ignore[misc]
    """A dumper that writes text of several lines as a block."""


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else "'" if LEADING_ZERO.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def parse(text: str, where: str) -> Any:
    """Return the value of one YAML document; `where` names it in a `ConfigError`."""
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ConfigError(where, [f"not valid YAML: {_why(error, text)}"]) from error
    except ValueError as error:  # a date such as 2024-13-01
        raise ConfigError(where, [f"not valid YAML: {error}"]) from error


def parse_mapping(text: str, where: str) -> dict[str, Any]:
    """Return the mapping in one YAML document; raise `ConfigError` for any other content."""
    document = parse(text, where)
    if not isinstance(document, dict):
        held = "is empty" if document is None else f"holds {type(document).__name__}"
        raise ConfigError(where, [f"{held}, a mapping of keys is wanted"])
    return document


def _why(error: yaml.YAMLError, text: str) -> str:
    """Return line, column and cause; a tab as indentation, the commonest cause, by name."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    mark = error.problem_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"line {mark.line + 1}: a tab begins it; indent with spaces"
    context = f"{error.context}, " if error.context else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {context}{error.problem}"


def read(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; raise `ConfigError` for any other content.

    A repeated key is an error, since PyYAML would silently drop the first value.
    """
    return read_with_lines(path)[0]


def read_written(path: Path) -> dict[str, Any]:
    """Return the mapping in a file that `dump` wrote, without the checks of `read`."""
    return parse_mapping(_content(path), str(path))


def read_with_lines(path: Path) -> tuple[dict[str, Any], Lines]:
    """Return the mapping of `read` and the lines of its keys."""
    text = _content(path)
    return parse_mapping(text, str(path)), lines_of(text, str(path))


def lines_of(text: str, where: str) -> Lines:
    """Return the lines of the keys and list items of a document that `parse` accepts.

    Raises `ConfigError` for repeated keys.
    """
    loader = Loader(text)
    try:
        lines_by_key = list(_places(loader, loader.get_single_node(), (), set()))
    finally:
        loader.dispose()
    lines: dict[Key, int] = {}
    repeated: dict[Key, str] = {}
    for key, line in lines_by_key:
        is_inside = any(key[:length] in repeated for length in range(1, len(key)))
        if key in lines and key[-1] != "<<" and not is_inside:  # a mapping may merge several others
            name = ".".join(map(str, key))
            repeated[key] = f"{name} (line {line}): given before, on line {lines[key]}; keep one"
        lines.setdefault(key, line)
    if repeated:
        raise ConfigError(where, repeated.values())
    return lines


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from error


def _places(loader: Any, node: Any, key: Key, seen: set[int]) -> Iterator[tuple[Key, int]]:
    """Yield keys and lines in the order of the text; what aliases repeat is visited once."""
    for name, at, value in _children(loader, node):
        yield (*key, name), at.start_mark.line + 1
        if id(value) not in seen:
            seen.add(id(value))
            yield from _places(loader, value, (*key, name), seen)


def _children(loader: Any, node: Any) -> Iterator[tuple[Hashable, Any, Any]]:
    """Yield each child's name, the node that has its line, and the node of its value."""
    if isinstance(node, yaml.MappingNode):
        for at, value in node.value:
            is_merge = at.tag == "tag:yaml.org,2002:merge"
            yield "<<" if is_merge else loader.construct_object(at, deep=True), at, value
    if isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield position, value, value


def dump(mapping: Mapping[str, Any]) -> str:
    """Return YAML text in the order given, with short lists on one line."""
    return str(
        yaml.dump(
            dict(mapping),
            Dumper=Dumper,
            sort_keys=False,
            default_flow_style=None,
            width=100,
            allow_unicode=True,
        )
    )
