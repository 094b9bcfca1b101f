"""Intervals of finished studies under the old rule and the new one, with some of their seeds.

python benchmarks/interval_widths.py runs/esc10-*
"""

import argparse
import itertools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent / "error_rates"))

from pairs import corrected_t, t_quantile

from audiocls.analysis.contrasts.arms import step_of
from audiocls.analysis.differences import BlockDifferences
from audiocls.analysis.pairing import RecordGrid
from audiocls.stats import half_width, stacked, uncertainties
from audiocls.store import Study, StudyFolder
from audiocls.studies.predictions import read_influences

ALPHA = 0.05
MOST_TRIALS = 1000


@dataclass(frozen=True)
class Widths:
    """Of a study with so many seeds: means over its arms and all choices of seeds."""

    num_trials: int
    """Of an arm."""
    old: float
    """Half the 95 % interval, in units of the metric."""
    new: float
    as_many: int | None
    """Trials of an arm that the old rule needs for `new`; `None` where no number is enough."""

    @property
    def ratio(self) -> float:
        return math.inf if self.as_many is None else self.as_many / self.num_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("studies", nargs="+", type=Path, help="folders of finished studies")
    print("| study | arms | trials of an arm | old ± | new ± | the old rule's trials for that |")
    print("|---|---:|---:|---:|---:|---:|")
    for path in parser.parse_args().studies:
        grid = grid_of(StudyFolder(path))
        for each in widths_of(grid):
            needed = "more than any" if each.as_many is None else f"{each.as_many}"
            cells = [path.name, len(grid.compared), each.num_trials]
            points = [f"{100 * half:.1f}" for half in (each.old, each.new)]
            print("|", " | ".join(map(str, [*cells, *points, needed])), "|", flush=True)


def grid_of(folder: StudyFolder) -> RecordGrid:
    """Return the finished trials, with what recordings add to the study's metric."""
    study: Study = folder.study()
    records = folder.records(study.cells)
    influences = read_influences(folder, study, records)
    return RecordGrid.of(study, records, influences=influences[study.metric])


def widths_of(grid: RecordGrid) -> list[Widths]:
    """Return the widths with one seed, with two, and so on, of seeds that all arms finished."""
    is_complete = grid.complete(list(grid.cells))
    folds = set(grid.study.folds)
    found: dict[int, set[int]] = {}
    for (seed, fold), is_here in zip(grid.blocks, is_complete, strict=True):
        found.setdefault(seed, set()).update([fold] if is_here else [])
    seeds = [seed for seed, tested in found.items() if tested == folds]
    return [_with_seeds(grid, seeds, num) for num in range(1, len(seeds) + 1)]


def _with_seeds(grid: RecordGrid, seeds: Sequence[int], num: int) -> Widths:
    every = [_differences(grid, seeds, arm) for arm in grid.compared]
    old, new = [], []
    for chosen in itertools.combinations(seeds, num):
        arms = [_differences(grid, chosen, arm) for arm in grid.compared]
        new.append(_new(arms, grid))
        old.append(np.mean([_old(_values(arm), grid.ratio) for arm in arms]))
    half = float(np.mean(new))
    sd = float(np.mean([_values(arm).std(ddof=1) for arm in every]))
    return Widths(num * len(grid.study.folds), float(np.mean(old)), half, _as_many(sd, half, grid))


def _differences(grid: RecordGrid, seeds: Sequence[int], arm: str) -> BlockDifferences:
    is_kept = np.array([seed in seeds for seed, _ in grid.blocks])
    return grid.differences({arm: 1.0, grid.study.reference_of(arm): -1.0}, is_kept)


def _values(arm: BlockDifferences) -> NDArray[np.float64]:
    return np.array([value for _, _, value in arm.values])


def _old(values: NDArray[np.float64], ratio: float) -> float:
    test = corrected_t(list(values), ratio, ALPHA)
    return (test.ci_high - test.ci_low) / 2


def _new(arms: Sequence[BlockDifferences], grid: RecordGrid) -> float:
    """The mean over the arms of a family, which are judged together."""
    step = step_of(grid.study.metric, grid.records.values())
    components = [found for arm in arms if (found := arm.components(step)) is not None]
    return float(half_width(uncertainties(stacked(components), grid.ratio), ALPHA).mean())


def _as_many(sd: float, half: float, grid: RecordGrid) -> int | None:
    """Return the trials, of all folds, with which the old rule's interval is as short."""
    num_folds = len(grid.study.folds)
    for num in range(num_folds, MOST_TRIALS, num_folds):
        error = sd * math.sqrt(1 / num + grid.ratio)
        if t_quantile(1 - ALPHA / 2, num - 1) * error <= half:
            return num
    return None


if __name__ == "__main__":
    main()
