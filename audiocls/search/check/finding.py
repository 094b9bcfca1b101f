"""`Finding`: one thing to say about one key of a sweep's file."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audiocls.yaml_file import Key, Lines

_LONGEST_GOT = 60
"""Characters of a wrong value that a sentence repeats."""


@dataclass(frozen=True)
class Finding:
    """A fault, with which nothing runs as written, or a note on what runs but may be meant else."""

    key: Key
    text: str
    is_fault: bool = True


def fault(key: Key, text: str) -> Finding:
    """What W&B refuses, or what its engine fails on."""
    return Finding(key, text)


def note(key: Key, text: str) -> Finding:
    """What W&B takes, though perhaps not as its writer meant it."""
    return Finding(key, text, is_fault=False)


def sentences(findings: Iterable[Finding], lines: Lines) -> tuple[str, ...]:
    """One a finding, in the order of the file."""
    placed = [(_line(finding.key, lines), finding) for finding in findings]
    placed.sort(key=lambda pair: pair[0])
    return tuple(_sentence(finding, line) for line, finding in placed)


def got(value: object) -> str:
    """How a wrong value is shown: short, and a key without a value as such."""
    if value is None:
        return "got nothing"
    text = repr(value)
    return f"got {text if len(text) <= _LONGEST_GOT else text[:_LONGEST_GOT] + '…'}"


def listing(names: Iterable[Any]) -> str:
    """Names in a row."""
    return ", ".join(map(str, names))


def _sentence(finding: Finding, line: int) -> str:
    name = ".".join(map(str, finding.key)) or "(whole)"
    return f"{name}{f' (line {line})' if line else ''}: {finding.text}"


def _line(key: Key, lines: Lines) -> int:
    """Of the key or, of one that is missing, of the mapping that lacks it; 0 if unknown."""
    ways = (key[:length] for length in range(len(key), 0, -1))
    return next((lines[way] for way in ways if way in lines), 0)
