"""Writes the JSON Schemas of the YAML grammar, for editors, and the shell's keys: `make schema`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

import audiocls
from audiocls.config import Config
from audiocls.design import Ablation
from audiocls.validation_errors import models_in

KEYS = Path(audiocls.__file__).parent / "cli" / "keys.txt"
"""What the shell offers after `--set`."""

SCHEMAS: dict[str, dict[str, Any]] = {
    "ablation.schema.json": Ablation.model_json_schema(),
    "recipe.schema.json": Config.model_json_schema(),
}


def text_of(schema: dict[str, Any]) -> str:
    """The file's content."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def keys_text() -> str:
    """Return a line for each key of any recipe: the key, and the words that it takes."""
    found: dict[str, dict[str, None]] = {}
    for key, words in _keys(Config, ""):
        found.setdefault(key, {}).update(dict.fromkeys(words))
    return "".join(" ".join([key, *words]) + "\n" for key, words in sorted(found.items()))


def _keys(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, list[str]]]:
    for name, field in model.model_fields.items():
        key, below = f"{prefix}{name}", list(models_in(field.annotation))
        is_own = all("code" in each.model_fields for each in below)
        if below and not is_own:
            for each in below:
                yield from _keys(each, f"{key}.")
        elif name != "code":
            form = "[{}]" if get_origin(field.annotation) is tuple else "{}"
            yield key, [form.format(word) for word in _words(field.annotation)]


def _words(annotation: Any) -> Iterator[str]:
    """Yield the words in an annotation: of a choice, and of a truth."""
    if annotation is bool:
        yield from ("true", "false")
    for each in get_args(annotation):
        yield from [each] if isinstance(each, str) else _words(each)


if __name__ == "__main__":
    for name, schema in SCHEMAS.items():
        Path(__file__).with_name(name).write_text(text_of(schema), encoding="utf-8")
    KEYS.write_text(keys_text(), encoding="utf-8")
