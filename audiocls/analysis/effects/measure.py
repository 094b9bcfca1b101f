"""Contrasts on the study's blocks: numbers and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.effects.contrast import Weights
from audiocls.formatting import join_names
from audiocls.store.record import Record, Study

MAX_NAMED = 3


@dataclass(frozen=True)
class BlockMatrix:
    """The metric of every arm on every block, NaN where no trial has finished."""

    rows: Mapping[str, int]
    blocks: tuple[tuple[int, int], ...]
    values: NDArray[np.float64]
    """Arms × blocks."""
    is_planned: NDArray[np.bool_]

    def complete(self, arms: Sequence[str]) -> NDArray[np.bool_]:
        """The blocks on which all these arms have finished."""
        found: NDArray[np.bool_] = np.all(np.isfinite(self.values[self._rows(arms)]), axis=0)
        return found

    def of(self, weights: Weights, is_kept: NDArray[np.bool_]) -> list[float]:
        """One number a block, rounded as paired differences are."""
        values = self.values[self._rows(list(weights))][:, is_kept]
        return [float(value) for value in np.round(np.array(list(weights.values())) @ values, 12)]

    def missing(self, arms: Sequence[str]) -> list[str]:
        """The blocks that all these arms were planned on and some have not finished, by name."""
        is_planned = self.is_planned[self._rows(arms)].all(axis=0)
        absent = np.flatnonzero(is_planned & ~self.complete(arms))
        return [self._named(arms, int(column)) for column in absent]

    def _named(self, arms: Sequence[str], column: int) -> str:
        seed, fold = self.blocks[column]
        lacking = [arm for arm in arms if np.isnan(self.values[self.rows[arm], column])]
        return f"seed {seed} fold {fold} of {join_names(lacking, MAX_NAMED, before_rest=', ')}"

    def _rows(self, arms: Sequence[str]) -> list[int]:
        return [self.rows[arm] for arm in arms]


def outcomes(study: Study, records: Mapping[str, Record]) -> BlockMatrix:
    """`records` are those that hold a finite value of the study's metric."""
    rows = {arm: row for row, arm in enumerate(study.arms)}
    blocks = sorted(study.blocks)
    columns = {block: column for column, block in enumerate(blocks)}
    values = np.full((len(rows), len(blocks)), np.nan)
    is_planned = np.zeros(values.shape, dtype=bool)
    for cell in study.cells:
        place = rows[cell.arm], columns[cell.block]
        is_planned[place] = True
        if cell.id in records:
            values[place] = records[cell.id].metrics[study.metric]
    return BlockMatrix(rows, tuple(blocks), values, is_planned)
