"""`load_sweep`: from a W&B sweep's document to a `Sweep`, or to every fault of it at once.

`check_sweep` says the same without raising, and says what is odd too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiocls.errors import ConfigError
from audiocls.search.build import build
from audiocls.search.check import Finding, findings, note, sentences
from audiocls.search.grid import grid_size
from audiocls.search.sweep import Sweep
from audiocls.yaml_file import Lines

_LARGE_GRID = 10_000
"""Cells; a grid of more is rarely meant to be walked whole."""


@dataclass(frozen=True)
class Checked:
    """What is to be said of a sweep's document, a sentence each, in the order of the file."""

    faults: tuple[str, ...]
    """With one of them nothing runs."""
    notes: tuple[str, ...]
    """What runs, though perhaps not as it is meant."""


def check_sweep(document: Mapping[str, Any], lines: Lines | None = None) -> Checked:
    """Every fault and note of a sweep's document; `lines` comes from `yaml_file`."""
    found = list(findings(document))
    if not any(finding.is_fault for finding in found):
        found += _size(build(document))
    return Checked(
        sentences((finding for finding in found if finding.is_fault), lines or {}),
        sentences((finding for finding in found if not finding.is_fault), lines or {}),
    )


def load_sweep(document: Mapping[str, Any], where: str, lines: Lines | None = None) -> Sweep:
    """The sweep that `document` spells; raises `ConfigError` with all its faults."""
    faults = check_sweep(document, lines).faults
    if faults:
        raise ConfigError(where, faults)
    return build(document)


def _size(sweep: Sweep) -> list[Finding]:
    num_cells = grid_size(sweep)
    if num_cells is None or num_cells <= _LARGE_GRID or sweep.run_cap is not None:
        return []
    return [note(("parameters",), f"a grid of {num_cells:,} cells without a run_cap")]
