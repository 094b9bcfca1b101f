"""`OrOwn`, which lets a union of shipped parts have own ones too."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from audiocls.options import Options
from audiocls.parts.names import is_import_string
from audiocls.parts.own import OwnPart
from audiocls.parts.plugins import plugin_named
from audiocls.validation_errors import OWN, SHIPPED


@dataclass(frozen=True)
class OrOwn:
    """Annotation of a union of shipped parts (or of their names) that admits an own part too."""

    own: type[OwnPart]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        others = tuple(each for each in get_args(source) if each is not self.own)
        is_named = len(others) < len(get_args(source))
        ours = handler.generate_schema(Union[others]) if is_named else handler(source)  # noqa: UP007
        choices = {SHIPPED: ours, OWN: handler.generate_schema(self.own)}
        shipped = frozenset(_names(source))

        def whose(value: Any) -> str:
            return OWN if self._is_own(value, shipped) else SHIPPED

        return core_schema.tagged_union_schema(choices, whose)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema for editors: an own part has none of the shipped parts' names."""
        ours, own = handler(schema)["oneOf"]
        names = [*ours.get("discriminator", {}).get("mapping", {}), *ours.get("enum", [])]
        other = {"not": {"properties": {"name": {"enum": names}}}}
        return {"oneOf": [ours, {"type": "string", "pattern": ":"}, {"allOf": [own, other]}]}

    def _is_own(self, value: Any, shipped: frozenset[str]) -> bool:
        """Whether a value means an own part; entry points are read for unknown names alone."""
        if isinstance(value, OwnPart):
            return True
        name = value.get("name") if isinstance(value, Mapping) else value
        if not isinstance(name, str) or name in shipped:
            return False
        is_stored = isinstance(value, Mapping) and "code" in value
        if is_stored or is_import_string(name):
            return True
        return plugin_named(self.own.CALL.kind, name) is not None


@dataclass(frozen=True)
class OrText:
    """Annotation of an own part that may be written as its name alone, for the schema."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def _names(source: Any) -> Iterator[str]:
    """Yield the names of shipped parts: of options in a union, or words of a `Literal`."""
    if isinstance(source, str):
        yield source
    elif isinstance(source, type) and issubclass(source, Options):
        # An own part's name is any text.
        yield from get_args(source.model_fields["name"].annotation)
    else:
        for each in get_args(source):
            yield from _names(each)
