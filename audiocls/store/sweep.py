"""A launched sweep: its configuration as it was given, and each trial proposed for it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class SweepStudy:
    """`runs/<name>/study.yaml` of a sweep. Unlike an ablation's, its trials are not known yet."""

    name: str
    sweep: dict[str, Any]
    """The configuration, verbatim."""
    runs: str
    """What its trials run, in words: `recipe NAME`, or the command as written. Two launches of one
    study must agree on it."""
    folder: str
    """The directory in which its command is run, where the command is not ours."""
    overrides: dict[str, Any]
    command: str
    """The command line that launches this sweep again."""

    def to_mapping(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "SweepStudy":
        return cls(**mapping)


@dataclass(frozen=True)
class Proposal:
    """One trial of a sweep: what it is called and what was proposed."""

    id: str
    parameters: dict[str, Any]

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Proposal":
        return cls(**json.loads(line))
