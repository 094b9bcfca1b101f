"""Writes the JSON Schemas of the YAML grammar, for editors: run `make schema`."""

import json
from pathlib import Path
from typing import Any

from audiocls.config import Config
from audiocls.design import Ablation

SCHEMAS: dict[str, dict[str, Any]] = {
    "ablation.schema.json": Ablation.model_json_schema(),
    "recipe.schema.json": Config.model_json_schema(),
}


def text_of(schema: dict[str, Any]) -> str:
    """The file's content."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, schema in SCHEMAS.items():
        Path(__file__).with_name(name).write_text(text_of(schema), encoding="utf-8")
