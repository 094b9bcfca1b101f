"""Just enough GraphQL: the fields of a document are filled in from plain mappings.

A type is a mapping of field names to values; a value that is callable is a resolver and gets the
field's arguments under the names of W&B's schema, whatever a client calls its variables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wandb_server.document import Document, Field, Selection, Spread, Variable

Arguments = Mapping[str, Any]
Resolver = Callable[[Arguments], object]


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
