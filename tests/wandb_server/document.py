"""GraphQL's documents: text becomes the tree of the fields that are asked for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
