"""Arms × blocks: which trial was planned there, and the record that it left.

Legend: A arms, B blocks (a seed and a test fold).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.family import Difference, Weights
from audiocls.formatting import join_names
from audiocls.store.record import Cell, Record, Study

Block = tuple[int, int]
Causes = Mapping[str, str]
"""Trial id → why it has no result, where that is known."""
MAX_NAMED = 3
"""Pairs, blocks and arms that a reason lists; the others are counted."""


@dataclass(frozen=True)
class Pair:
    """An arm and its reference on the same seed and fold."""

    seed: int
    fold: int
    arm: Record
    reference: Record


@dataclass(frozen=True)
class Pairs:
    """All pairs of an arm with its reference, and the blocks that lack one."""

    arm: str
    reference: str
    complete: tuple[Pair, ...]
    missing: tuple[str, ...]
    """Each block without a pair, with the reason where it is known: `seed 0 fold 3 (failed: nan)`.
    """

    @property
    def num_planned(self) -> int:
        return len(self.complete) + len(self.missing)

    def share(self, num: int) -> str:
        """Return a count among the pairs: `3 of 15 pairs`."""
        return f"{num} of {len(self.complete)} pairs"


def usable(study: Study, records: Mapping[str, Record]) -> dict[str, Record]:
    """Return the study's records, by trial id, that hold a finite value of its metric."""
    planned = {cell.id: records[cell.id] for cell in study.cells if cell.id in records}
    return {
        trial_id: record
        for trial_id, record in planned.items()
        if math.isfinite(record.metrics.get(study.metric, math.nan))
    }


@dataclass(frozen=True, eq=False)
class RecordGrid:
    """A study's usable records by arm and block, arranged once for all that compares arms."""

    study: Study
    records: Mapping[str, Record]
    """By trial id, those with a finite value of the study's metric; any other cell is missing."""
    causes: Causes = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(
        cls, study: Study, records: Mapping[str, Record], causes: Causes = MappingProxyType({})
    ) -> "RecordGrid":
        """Return the grid of those among `records` that hold the study's metric."""
        usable_records = usable(study, records)
        excluded = dict.fromkeys(records.keys() - usable_records.keys(), f"no {study.metric}")
        return cls(study, usable_records, {**causes, **excluded})

    def narrowed(self, study: Study) -> "RecordGrid":
        """Return the grid of `study`, which is this one's with some of its cells."""
        if len(study.cells) == len(self.study.cells):
            return self
        return replace(self, study=study, records=usable(study, self.records))

    @cached_property
    def cells(self) -> dict[str, dict[Block, Cell]]:
        """Arm → block → the cell planned there, blocks in order of seed and fold."""
        grid: dict[str, dict[Block, Cell]] = {arm: {} for arm in self.study.arms}
        for cell in sorted(self.study.cells, key=lambda cell: cell.block):
            grid.setdefault(cell.arm, {})[cell.block] = cell
        return grid

    @property
    def compared(self) -> list[str]:
        """Every arm but the baseline."""
        return [arm for arm in self.study.arms if arm != self.study.baseline]

    def records_of(self, arm: str) -> list[Record]:
        """Return the arm's usable records, in order of seed and fold."""
        return [self.records[c.id] for c in self.cells[arm].values() if c.id in self.records]

    @cached_property
    def pairs(self) -> dict[str, Pairs]:
        """Every arm but the baseline with its reference."""
        return {arm: self._pairs_of(arm) for arm in self.compared}

    def _pairs_of(self, arm: str) -> Pairs:
        reference = self.study.reference_of(arm)
        pairs, missing = [], []
        for block, cell in self.cells[arm].items():
            other = self.cells[reference].get(block)
            if other and cell.id in self.records and other.id in self.records:
                pairs.append(Pair(*block, self.records[cell.id], self.records[other.id]))
            else:
                why = self._why_missing(cell, other, reference)
                missing.append(f"seed {block[0]} fold {block[1]}{f' ({why})' if why else ''}")
        return Pairs(arm, reference, tuple(pairs), tuple(missing))

    def _why_missing(self, cell: Cell, other: Cell | None, reference: str) -> str:
        """Return why a block has no pair, the trial's own cause first; an empty text if unknown."""
        if cell.id not in self.records:
            return self.causes.get(cell.id, "")
        if other is None:
            return f"{reference} not planned"
        return f"{reference} {self.causes.get(other.id, 'not finished')}"

    @cached_property
    def blocks(self) -> list[Block]:
        """In order of seed and fold: the columns of `values`."""
        return sorted(self.study.blocks)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The metric, NaN where no trial has finished. Shape: → (A, B), arms as in `cells`"""
        columns = {block: column for column, block in enumerate(self.blocks)}
        values = np.full((len(self.cells), len(columns)), np.nan)
        for row, planned in enumerate(self.cells.values()):
            for block, cell in planned.items():
                if cell.id in self.records:
                    values[row, columns[block]] = self.records[cell.id].metrics[self.study.metric]
        return values

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {arm: row for row, arm in enumerate(self.cells)}

    def values_of(self, arms: Collection[str]) -> NDArray[np.float64]:
        """Return the metric of these arms. Shape: → (arms, B)"""
        return self.values[[self._rows[arm] for arm in arms]]

    def complete(self, arms: Collection[str]) -> NDArray[np.bool_]:
        """Return on which blocks all these arms have finished. Shape: → (B,)"""
        is_complete: NDArray[np.bool_] = np.all(np.isfinite(self.values_of(arms)), axis=0)
        return is_complete

    def differences(
        self, weights: Weights, is_kept: NDArray[np.bool_] | None = None
    ) -> list[Difference]:
        """Return the contrast's value on the kept blocks, by default those that all its arms have.

        Rounded to 12 decimals, since 0.3 and 0.1 + 0.2 are no evidence of anything.

        Shape: is_kept (B,)
        """
        columns = np.flatnonzero(self.complete(weights) if is_kept is None else is_kept)
        sums = np.array(list(weights.values())) @ self.values_of(weights)[:, columns]
        return [
            (*self.blocks[column], round(value, 12))
            for column, value in zip(columns.tolist(), sums.tolist(), strict=True)
        ]

    @cached_property
    def is_planned(self) -> NDArray[np.bool_]:
        """Shape: → (A, B), arms as in `cells`"""
        return np.array([[b in planned for b in self.blocks] for planned in self.cells.values()])

    def incomplete(self, arms: Sequence[str]) -> list[tuple[Block, list[str]]]:
        """Return the blocks on which all these arms were planned, and the arms not finished there.

        Blocks on which all have finished are left out.
        """
        rows = [self._rows[arm] for arm in arms]
        columns = np.flatnonzero(self.is_planned[rows].all(axis=0) & ~self.complete(arms))
        return [
            (self.blocks[column], [a for a in arms if np.isnan(self.values[self._rows[a], column])])
            for column in columns
        ]

    @cached_property
    def variance(self) -> tuple[float, str]:
        """The test/train ratio of the corrected variance, and what was done, in words."""
        num_seeds, num_folds = len(self.study.seeds), len(self.study.folds)
        if num_folds < 2:
            return 0.0, "plain paired t test over seeds (one fold: of this split of the data alone)"
        ratio, words = _test_train_ratio(self.records.values(), num_folds)
        over = "all seed × fold pairs" if num_seeds > 1 else "the folds of one seed"
        source = "Bouckaert and Frank 2004" if num_seeds > 1 else "Nadeau and Bengio 2003"
        return ratio, f"corrected t test over {over}, {words} ({source})"

    @property
    def ratio(self) -> float:
        """n_test/n_train of the corrected variance; 0 where there is one fold."""
        return self.variance[0]


def _test_train_ratio(records: Collection[Record], num_folds: int) -> tuple[float, str]:
    """Return the recorded ratio, or that of folds which are tested on once and trained on else."""
    ratios = [r.num_test / r.num_train for r in records if r.num_test and r.num_train]
    if ratios or not records:
        ratio = math.fsum(ratios) / len(ratios) if ratios else 0.0
        return ratio, f"test/train ratio {ratio:.3g}"
    ratio = 1 / (num_folds - 1)
    return ratio, f"test/train ratio not recorded, taken as {ratio:.3g} for {num_folds} folds"


def first_of(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are."""
    return join_names(names, MAX_NAMED, before_rest=", ")
