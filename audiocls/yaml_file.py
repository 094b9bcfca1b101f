"""The only door to YAML: read with the faults of YAML itself explained, write for people.

PyYAML reads `1e-3` as text; numbers declared by a `Part` accept numeric text for that reason.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from audiocls.errors import ConfigError

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Dumper(BaseDumper):  # type: ignore[misc]
    """PyYAML's own way to say how a type is written: text of several lines stays in lines."""


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def parse(text: str, where: str) -> Any:
    """The value of one YAML document; `where` names it in the error."""
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ConfigError(where, [f"not valid YAML: {error}".replace("\n", " ")]) from error


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises `ConfigError` for any other content."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from error
    document = parse(text, str(path))
    if not isinstance(document, dict):
        fault = f"holds {type(document).__name__}, a mapping of keys is wanted"
        raise ConfigError(str(path), [fault])
    return document


def dump(mapping: Mapping[str, Any]) -> str:
    """YAML text in the order given, short lists on one line."""
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
