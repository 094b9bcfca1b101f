"""YAML files: read with line numbers and clear errors, written for people to read.

Only this module imports PyYAML. PyYAML reads `1e-3` as text; numeric fields of `Options` accept
numeric text for that reason.
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from audiocls.errors import ConfigError
from audiocls.misreadings import DECIMAL, LEADING_ZERO, misreading

BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Key = tuple[Hashable, ...]
"""The path to a value: names in mappings and positions in lists, from the outermost inwards."""

Lines = Mapping[Key, int]
"""The line, counted from 1, on which each value of a document begins."""

MAX_DEPTH = 100
"""Levels of nesting, what aliases stand for included."""
MAX_VALUES = 50_000
"""Keys and values of a document, those that aliases repeat included."""
MAX_STORED = 1_000_000
"""The same of a study's plan, which is longer than the file that asked for it."""

UNFIT = re.compile(r"[\0\ud800-\udfff]")
"""What neither a path nor a program's argument can hold."""
LONGEST_SHOWN = 40
LARGEST_INTEGER = 2**1024
"""From here on an integer is beyond every float, and takes long to write."""


class Loader(BaseLoader):  # type: ignore[misc]
    """A loader that refuses integers beyond every float, whatever their base."""


def _integer(loader: Any, node: Any) -> int:
    value = int(loader.construct_yaml_int(node))
    if abs(value) >= LARGEST_INTEGER:
        raise ValueError(f"line {node.start_mark.line + 1}: an integer beyond every float")
    return value


def _whole_text(loader: Any, node: Any) -> str:
    text = str(loader.construct_yaml_str(node))
    if UNFIT.search(text):
        where = f"line {node.start_mark.line + 1}: {ascii(text)[:LONGEST_SHOWN]}"
        raise ValueError(f"{where} holds a NUL or half a character, which no name or word can")
    return text


Loader.add_constructor("tag:yaml.org,2002:int", _integer)
Loader.add_constructor("tag:yaml.org,2002:str", _whole_text)


class Dumper(BaseDumper):  # type: ignore[misc]
    """A dumper that writes text of several lines as a block."""


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else "'" if LEADING_ZERO.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def parse(text: str, where: str, max_values: int | None = None) -> Any:
    """Return the value of one YAML document; `where` names it in a `ConfigError`.

    Of more than `max_values` keys and values, by default `MAX_VALUES`, it is refused.
    """
    try:
        if fault := _faults_of_size(text, max_values)[0]:
            raise ConfigError(where, [fault])
        return deepcopy(_read(text)[0])
    except yaml.YAMLError as error:
        raise ConfigError(where, [f"not valid YAML: {_why(error, text)}"]) from error
    except ValueError as error:  # a date such as 2024-13-01, a huge integer
        raise ConfigError(where, [f"not valid YAML: {error}"]) from error


@lru_cache(maxsize=8)
def _read(text: str) -> tuple[Any, Sequence[tuple[Key, Any, Any]]]:
    """Return the value of a document, for copies, and its places: a command reads it several times.

    The places come first: what is built has its merge keys replaced by what they merge.
    """
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        places = tuple(_places(loader, node, (), set()))
        return None if node is None else loader.construct_document(node), places
    finally:
        loader.dispose()


def parse_mapping(text: str, where: str, max_values: int | None = None) -> dict[str, Any]:
    """Return the mapping in one YAML document; raise `ConfigError` for any other content.

    Refused before it is built: what is nested without end, what aliases multiply, what is huge.
    """
    if faults := list(filter(None, _faults_of_size(text, max_values))):
        raise ConfigError(where, faults)
    document = parse(text, where, max_values)
    if not isinstance(document, dict):
        held = "is empty" if document is None else f"holds {type(document).__name__}"
        raise ConfigError(where, [f"{held}, a mapping of keys is wanted"])
    return document


@dataclass
class _Open:
    """A list or mapping whose end is not read yet."""

    anchor: Any
    num_before: int
    height: int = 1
    """Levels of nesting so far, its own included."""


class _Size:
    """How many values a document holds so far, and how deep, with what its aliases stand for."""

    def __init__(self) -> None:
        self.num_values = 0
        self.stack: list[_Open] = []
        self._known: dict[Any, tuple[int, int]] = {}
        """Anchor → values and levels of nesting that it stands for."""

    def has_open(self, anchor: Any) -> bool:
        """Whether the end of what has that anchor is not read yet."""
        return any(each.anchor == anchor for each in self.stack)

    def add(self, event: Any) -> int:
        """Count what an event adds; return the levels of nesting that it ends or repeats."""
        size, height = int(isinstance(event, yaml.ScalarEvent)), 0
        if isinstance(event, yaml.CollectionStartEvent):
            size = 1
            self.stack.append(_Open(event.anchor, self.num_values))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self.stack.pop()
            height = ended.height
            if ended.anchor is not None:
                self._known[ended.anchor] = self.num_values - ended.num_before, height
        elif isinstance(event, yaml.AliasEvent):
            size, height = self._known.get(event.anchor, (1, 0))
        self.num_values += size
        if self.stack and height:
            self.stack[-1].height = max(self.stack[-1].height, height + 1)
        return height


@lru_cache(maxsize=8)
def _faults_of_size(text: str, max_values: int | None) -> tuple[str, str]:
    """Return why a document is too large to be built, and where it holds itself; else empty texts.

    The events are read one by one, so that the whole is never built. What is no YAML is left to
    `parse`.
    """
    size, endless, most = _Size(), "", max_values or MAX_VALUES
    try:
        for event in yaml.parse(text, Loader=Loader):
            mark: Any = event.start_mark
            if isinstance(event, yaml.AliasEvent) and size.has_open(event.anchor):
                endless = f"*{event.anchor} refers to something that contains it, so it has no end"
                endless = f"line {mark.line + 1}: {endless}"
            height = size.add(event)
            if len(size.stack) + height > MAX_DEPTH:
                return f"line {mark.line + 1}: nested more than {MAX_DEPTH} deep", endless
            if size.num_values > most:
                many = f"holds more than {most:,} values, those that aliases repeat included"
                return many, endless
    except yaml.YAMLError:
        return "", ""
    return "", endless


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


def read_texts(path: Path) -> dict[str, Any]:
    """Return the mapping of `read` with every value as it is written: a text, `4:00:00` too."""
    read(path)
    texts: dict[str, Any] = yaml.load(_content(path), Loader=yaml.BaseLoader)
    return texts


def read_with_lines(path: Path) -> tuple[dict[str, Any], Lines]:
    """Return the mapping of `read` and the lines of its keys."""
    text = _content(path)
    return parse_mapping(text, str(path)), lines_of(text, str(path))


@lru_cache(maxsize=8)
def lines_of(text: str, where: str) -> Lines:
    """Return the lines of the keys and list items of a document that `parse` accepts.

    Raises `ConfigError` for repeated keys.
    """
    lines_by_key = [(key, node.start_mark.line + 1) for key, node, _ in _read(text)[1]]
    lines: dict[Key, int] = {}
    repeated: dict[Key, str] = {}
    for key, line in lines_by_key:
        is_inside = repeated and any(key[:length] in repeated for length in range(1, len(key)))
        if key in lines and key[-1] != "<<" and not is_inside:  # a mapping may merge several others
            name = ".".join(map(str, key))
            repeated[key] = f"{name} (line {line}): given before, on line {lines[key]}; keep one"
        lines.setdefault(key, line)
    if repeated:
        raise ConfigError(where, repeated.values())
    return lines


@lru_cache(maxsize=8)
def misreadings(text: str) -> Mapping[Key, str]:
    """Return what YAML reads otherwise than people mean, and what to write; by place.

    Only words without quotes are looked at, of a document that `parse` accepts.
    """
    loader = Loader("")
    plain = [
        (key, node.value, loader.construct_object(node))
        for key, _, node in _read(text)[1]
        if isinstance(node, yaml.ScalarNode) and not (node.style or DECIMAL.fullmatch(node.value))
    ]
    return {key: why for key, word, value in plain if (why := misreading(word, value))}


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from error


def _places(loader: Any, node: Any, key: Key, seen: set[int]) -> Iterator[tuple[Key, Any, Any]]:
    """Yield keys with the nodes of their names and of their values, in the order of the text.

    What aliases repeat is visited once.
    """
    for name, at, value in _children(loader, node):
        yield (*key, name), at, value
        if isinstance(value, yaml.CollectionNode) and id(value) not in seen:
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
