"""Just enough GraphQL: a document is parsed into selections and filled in from plain mappings.

A type is a mapping of field names to values; a value that is callable is a resolver and gets the
field's arguments under the names of W&B's schema, whatever a client calls its variables.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Arguments = Mapping[str, Any]
Resolver = Callable[[Arguments], object]

TOKEN = re.compile(r'\.\.\.|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|\w+|[{}()\[\]:=!@$]')
CONSTANTS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Variable:
    """Stands for a value that comes with the request."""

    name: str


@dataclass(frozen=True)
class Spread:
    """A fragment used by name."""

    fragment: str


@dataclass(frozen=True)
class Field:
    """One field that is asked for; an inline fragment is a field without a name."""

    name: str
    alias: str
    arguments: Mapping[str, object]
    directives: Mapping[str, Mapping[str, object]]
    selection: "tuple[Field | Spread, ...]"


Selection = tuple[Field | Spread, ...]


@dataclass(frozen=True)
class Document:
    """One operation and the fragments that it uses."""

    name: str
    selection: Selection
    fragments: Mapping[str, Selection]
    defaults: Mapping[str, object]


def parse(text: str) -> Document:
    """The one operation of a document."""
    return _Reader(TOKEN.findall(re.sub(r"#[^\n]*", "", text))).document()


@dataclass
class _Reader:
    """A recursive descent over tokens."""

    tokens: list[str]
    position: int = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1]

    def took(self, token: str) -> bool:
        is_next = self.peek() == token
        self.position += is_next
        return is_next

    def until(self, closing: str) -> Iterator[None]:
        while not self.took(closing):
            yield

    def document(self) -> Document:
        name, selection, defaults = "anonymous", Selection(), dict[str, object]()
        fragments = {}
        while self.peek():
            if self.took("fragment"):
                fragment, _on, _type = self.take(), self.take(), self.take()
                fragments[fragment] = self.selection()
                continue
            if self.peek() != "{":
                self.take()
                name = self.take() if self.peek() not in "({" else name
                defaults = self.variables()
            selection = self.selection()
        return Document(name, selection, fragments, defaults)

    def variables(self) -> dict[str, object]:
        """Defaults of the declared variables; their types are of no interest."""
        defaults: dict[str, object] = {}
        if self.took("("):
            name = ""
            for _ in self.until(")"):
                if self.took("$"):
                    name = self.take()
                elif self.took("="):
                    defaults[name] = self.value()
                else:
                    self.take()
        return defaults

    def selection(self) -> Selection:
        fields: list[Field | Spread] = []
        if self.took("{"):
            fields = [self.part() for _ in self.until("}")]
        return tuple(fields)

    def part(self) -> Field | Spread:
        if self.took("..."):
            if self.peek() not in ("on", "@", "{"):
                return Spread(self.take())
            if self.took("on"):
                self.take()
            return Field("", "", {}, self.directives(), self.selection())
        name = alias = self.take()
        if self.took(":"):
            name = self.take()
        return Field(name, alias, self.arguments(), self.directives(), self.selection())

    def directives(self) -> dict[str, dict[str, object]]:
        found = {}
        while self.took("@"):
            name = self.take()
            found[name] = self.arguments()
        return found

    def arguments(self) -> dict[str, object]:
        return self.pairs(")") if self.took("(") else {}

    def pairs(self, closing: str) -> dict[str, object]:
        found = {}
        for _ in self.until(closing):
            name, _colon = self.take(), self.take()
            found[name] = self.value()
        return found

    def value(self) -> object:
        token = self.take()
        if token == "$":
            return Variable(self.take())
        if token == "[":
            return [self.value() for _ in self.until("]")]
        if token == "{":
            return self.pairs("}")
        if token in CONSTANTS:
            return CONSTANTS[token]
        is_text_or_number = token[0] in '"-' or token[0].isdigit()
        return json.loads(token) if is_text_or_number else token


@dataclass(frozen=True)
class Filling:
    """A document being answered; `miss` hears of every field that no type has."""

    document: Document
    variables: Mapping[str, object]
    miss: Callable[[str], None]

    def fill(self, value: object, selection: Selection, where: str = "") -> object:
        """`value` with only the fields that were asked for."""
        if isinstance(value, list | tuple):
            return [self.fill(item, selection, where) for item in value]
        if not isinstance(value, Mapping) or not selection:
            return value
        filled: object = {}
        for part in selection:
            filled = _merged(filled, self._part(value, part, where))
        return filled

    def _part(self, value: Mapping[str, object], part: Field | Spread, where: str) -> object:
        if isinstance(part, Spread):
            return self.fill(value, self.document.fragments[part.fragment], where)
        if not self._is_wanted(part):
            return {}
        if not part.name:
            return self.fill(value, part.selection, where)
        place = f"{where}.{part.name}".lstrip(".")
        found = value.get(part.name)
        if part.name not in value:
            self.miss(place)
        if callable(found):
            found = found(self.bound(part.arguments))
        return {part.alias: self.fill(found, part.selection, place)}

    def _is_wanted(self, field: Field) -> bool:
        include, skip = (self.bound(field.directives.get(name, {})) for name in ("include", "skip"))
        return bool(include.get("if", True)) and not skip.get("if", False)

    def bound(self, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Arguments with variables put in; those that are null are left out."""
        values = {name: self._bound(value) for name, value in arguments.items()}
        return {name: value for name, value in values.items() if value is not None}

    def _bound(self, value: object) -> object:
        if isinstance(value, Variable):
            given = self.variables.get(value.name, self.document.defaults.get(value.name))
            return self._bound(given)
        if isinstance(value, Mapping):
            return self.bound(value)
        return [self._bound(item) for item in value] if isinstance(value, list) else value


def _merged(one: object, other: object) -> object:
    """Two answers to one field, as when two fragments ask for parts of it."""
    if isinstance(one, dict) and isinstance(other, dict):
        shared = one.keys() & other.keys()
        return one | other | {name: _merged(one[name], other[name]) for name in shared}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(first, second) for first, second in zip(one, other, strict=True)]
    return other


def edges(nodes: list[Any], arguments: Arguments | None = None) -> dict[str, Any]:
    """One page of a connection: `first` nodes after the cursor."""
    arguments = arguments or {}
    start = int(arguments.get("after") or 0)
    end = min(len(nodes), start + int(arguments.get("first") or len(nodes)))
    return {
        "edges": [
            {"node": node, "cursor": str(place)}
            for place, node in enumerate(nodes[start:end], start + 1)
        ],
        "pageInfo": {
            "__typename": "PageInfo",
            "endCursor": str(end),
            "hasNextPage": end < len(nodes),
        },
        "totalCount": len(nodes),
    }
