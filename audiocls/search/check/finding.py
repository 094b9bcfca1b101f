"""`Finding`: an error or a warning about one key of a sweep's file."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audiocls.yaml_file import Key, Lines

_LONGEST_GOT = 60
"""Characters of a wrong value that a sentence repeats."""


@dataclass(frozen=True)
class Finding:
    """An error (fault), or a warning (note) about what runs but is probably a mistake."""

    key: Key
    text: str
    is_fault: bool = True


def fault(key: Key, text: str) -> Finding:
    """Return an error: W&B refuses this, or its engine fails on it."""
    return Finding(key, text)


def note(key: Key, text: str) -> Finding:
    """Return a warning: W&B accepts this, but it is probably a mistake."""
    return Finding(key, text, is_fault=False)


def sentences(findings: Iterable[Finding], lines: Lines) -> tuple[str, ...]:
    """Return a sentence for each finding, in the order of the file."""
    numbered = [(_line(finding.key, lines), finding) for finding in findings]
    numbered.sort(key=lambda pair: pair[0])
    return tuple(_sentence(finding, line) for line, finding in numbered)


def got(value: object) -> str:
    """Write a wrong value, shortened, and a missing one as `nothing`."""
    if value is None:
        return "got nothing"
    text = repr(value)
    return f"got {text if len(text) <= _LONGEST_GOT else text[:_LONGEST_GOT] + '…'}"


def listing(names: Iterable[Any]) -> str:
    """Join names by commas."""
    return ", ".join(map(str, names))


def _sentence(finding: Finding, line: int) -> str:
    name = ".".join(map(str, finding.key)) or "(whole)"
    return f"{name}{f' (line {line})' if line else ''}: {finding.text}"


def _line(key: Key, lines: Lines) -> int:
    """Return the line of a key, or of the mapping where it is missing; 0 if unknown."""
    ways = (key[:length] for length in range(len(key), 0, -1))
    return next((lines[way] for way in ways if way in lines), 0)
