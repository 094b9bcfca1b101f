"""What a comparison applies to: the data, some of its folds, one split, or these very clips."""

from collections.abc import Mapping
from typing import Literal

from audiocls.analysis.pairing import RecordGrid, first_of
from audiocls.formatting import plural
from audiocls.stats import overlap_factor

Scope = Literal["data", "folds", "split", "clips"]
WHOLE = 0.95
"""Share of the clips that folds must be tested on to stand for the data: some belong to none."""


def scope_of(grid: RecordGrid, has_recordings: bool) -> Scope:
    """Return the scope of the study's folds.

    `data`: all folds. `folds`: a part of them, or folds of unknown size. `split`: one fold, whose
    recordings stand for others. `clips`: one fold whose predictions are missing, so that nothing
    tells what other clips would have shown.
    """
    if len(grid.study.folds) == 1:
        return "split" if has_recordings else "clips"
    return "data" if num_all_folds(grid) == len(grid.study.folds) else "folds"


def num_all_folds(grid: RecordGrid) -> int | None:
    """Return how many folds the data set has; `None` if unknown.

    Studies of early versions did not store it, and other programs do not say: it follows from the
    share of all clips that several folds test.
    """
    if grid.study.num_folds is not None:
        return grid.study.num_folds
    num_folds, share = len(grid.study.folds), _tested_share(grid)
    if share >= WHOLE:
        return num_folds
    return round(num_folds / share) if share and num_folds > 1 else None


def _tested_share(grid: RecordGrid) -> float:
    """Return the share of all clips that are tested on some fold; 0 if unknown."""
    tested: dict[int, tuple[int, int]] = {}
    for record in grid.records.values():
        if record.num_test and record.num_train:
            total = record.num_test + record.num_train + (record.num_val or 0)
            tested.setdefault(record.fold, (record.num_test, total))
    if len(tested) < len(grid.study.folds):
        return 0.0
    return sum(num_test for num_test, _ in tested.values()) / max(n for _, n in tested.values())


def method_of(grid: RecordGrid, unknown: Mapping[str, str], num_measured: int) -> str:
    """Return which errors a claim had to exceed, in words.

    `unknown` says why recordings could not be taken into account, for each of the `num_measured`
    arms for which they could not.
    """
    num_folds = len(grid.study.folds)
    factor = f"{overlap_factor(num_folds, grid.ratio):.3g}"
    units = "folds" if num_folds > 1 else "seeds"
    when = " at every look" if grid.study.looks else ""
    both = (
        f"a claim must exceed two errors{when}: over trainings and recordings together, where "
        f"recordings count {factor} times for the overlap of training sets, and over {units}"
    )
    if not unknown:
        return both
    why = f"recordings are not taken into account ({'; '.join(sorted({*unknown.values()}))})"
    if len(unknown) < num_measured:
        of_some = f"for {first_of(list(unknown))} {why}"
        return f"{both}; {of_some}, and the error over {units} alone must be exceeded"
    if num_folds == 1:
        return f"{why}: paired t test over seeds{when}, which applies to these test clips alone"
    over = plural(num_folds, "fold")
    return (
        f"{why}: t test over {over}{when}, whose differences beyond those of seeds count "
        f"{factor} times for the overlap of training sets"
    )
