"""Pairs of an arm and its reference on one block, and the blocks that should have one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from audiocls.store.record import Cell, Record, Study

Block = tuple[int, int]
Grid = Mapping[str, Mapping[Block, Cell]]
"""Arm → block → the cell planned there."""
Causes = Mapping[str, str]
"""Trial id → why it has no result, where that is known."""


@dataclass(frozen=True)
class Pair:
    """An arm and the one it is compared with, on the same seed and fold."""

    seed: int
    fold: int
    arm: Record
    reference: Record

    def difference(self, metric: str) -> float:
        """Arm − reference; rounded, since 0.3 and 0.1 + 0.2 are no evidence of anything."""
        return round(self.arm.metrics[metric] - self.reference.metrics[metric], 12)


@dataclass(frozen=True)
class Pairs:
    """All that an arm has with its reference, and what it lacks."""

    arm: str
    reference: str
    found: tuple[Pair, ...]
    absent: tuple[str, ...]
    """Each block without a pair, with the reason where it is known: `seed 0 fold 3 (failed: nan)`.
    """

    @property
    def num_planned(self) -> int:
        return len(self.found) + len(self.absent)

    def share(self, num: int) -> str:
        """`3 of 15 pairs`."""
        return f"{num} of {len(self.found)} pairs"


def usable(study: Study, records: Mapping[str, Record]) -> dict[str, Record]:
    """The study's records that hold a finite value of its metric; any other cell is missing."""
    found = {cell.id: records[cell.id] for cell in study.cells if cell.id in records}
    nan = math.nan
    return {i: r for i, r in found.items() if math.isfinite(r.metrics.get(study.metric, nan))}


def grid_of(study: Study) -> Grid:
    """Where each arm was planned, blocks in order of seed and fold."""
    grid: dict[str, dict[Block, Cell]] = {arm: {} for arm in study.arms}
    for cell in sorted(study.cells, key=lambda cell: cell.block):
        grid.setdefault(cell.arm, {})[cell.block] = cell
    return grid


def pairs_of(
    study: Study, grid: Grid, arm: str, records: Mapping[str, Record], causes: Causes
) -> Pairs:
    """Every planned block of the arm: a pair where both trials are finished, else absent."""
    reference = study.reference_of(arm)
    other = grid[reference]
    found, absent = [], []
    for block, cell in grid[arm].items():
        twin = other.get(block)
        if twin and cell.id in records and twin.id in records:
            found.append(Pair(*block, records[cell.id], records[twin.id]))
        else:
            has_own = cell.id in records
            why = causes.get(cell.id, "") if not has_own else _why_not(reference, twin, causes)
            absent.append(f"seed {block[0]} fold {block[1]}{f' ({why})' if why else ''}")
    return Pairs(arm, reference, tuple(found), tuple(absent))


def _why_not(reference: str, cell: Cell | None, causes: Causes) -> str:
    if cell is None:
        return f"{reference} not planned"
    return f"{reference} {causes.get(cell.id, 'not finished')}"
