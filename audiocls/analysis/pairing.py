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

from audiocls.analysis.differences import (
    BlockDifferences,
    InfluencesOf,
    combined,
    with_influences,
)
from audiocls.analysis.family import Weights
from audiocls.analysis.influences import Influences, score_range
from audiocls.formatting import join_names, scale_of
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
    influences: InfluencesOf = field(default_factory=lambda: MappingProxyType({}))
    """Of the study's metric."""

    @classmethod
    def of(
        cls,
        study: Study,
        records: Mapping[str, Record],
        causes: Causes = MappingProxyType({}),
        influences: InfluencesOf = MappingProxyType({}),
    ) -> "RecordGrid":
        """Return the grid of those among `records` that hold a finite value of the metric."""
        usable_records = usable(study, records)
        unusable = {id_: records[id_] for id_ in records.keys() - usable_records.keys()}
        excluded = {id_: _why_unusable(each, study.metric) for id_, each in unusable.items()}
        return cls(study, usable_records, {**causes, **excluded}, influences)

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
    ) -> BlockDifferences:
        """Return the contrast on the kept blocks, by default those that all its arms have.

        Values are rounded to 12 decimals, since 0.3 and 0.1 + 0.2 are no evidence of anything.

        Shape: is_kept (B,)
        """
        columns = np.flatnonzero(self.complete(weights) if is_kept is None else is_kept)
        sums = np.array(list(weights.values())) @ self.values_of(weights)[:, columns]
        blocks = [self.blocks[column] for column in columns.tolist()]
        values = tuple(
            (*block, round(value, 12)) for block, value in zip(blocks, sums.tolist(), strict=True)
        )
        return with_influences(values, [self._influences_on(block, weights) for block in blocks])

    def _influences_on(self, block: Block, weights: Weights) -> Influences | str:
        """Return what recordings add to the contrast on one block, or why that is unknown."""
        trials = {self.cells[arm][block].id: weight for arm, weight in weights.items()}
        influences = {id_: self.influences.get(id_, "no predictions are kept") for id_ in trials}
        unknown = next((each for each in influences.values() if isinstance(each, str)), None)
        if unknown is not None:
            return unknown
        return combined(
            [(trials[i], each) for i, each in influences.items() if not isinstance(each, str)]
        )

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
    def score_range(self) -> float:
        """What the metric of one recording may change by: 1 for shares, 0 where that is unknown."""
        values = [each.metrics[self.study.metric] for each in self.records.values()]
        is_share = bool(values) and scale_of(self.study.goal, values) == 100
        return 1.0 if is_share else score_range(self.study.metric)

    @cached_property
    def ratio(self) -> float:
        """n_test/n_train of the trials; of folds that are tested on once, where not recorded."""
        records = self.records.values()
        ratios = [
            each.num_test / each.num_train for each in records if each.num_test and each.num_train
        ]
        if ratios:
            return math.fsum(ratios) / len(ratios)
        num_folds = len(self.study.folds)
        return 1 / (num_folds - 1) if num_folds > 1 else 0.0


def _why_unusable(record: Record, metric: str) -> str:
    return f"{metric} is {record.metrics[metric]}" if metric in record.metrics else f"no {metric}"


def first_of(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are."""
    return join_names(names, MAX_NAMED, before_rest=", ")
