"""Pairs of an arm and the baseline on one block, and what forbids comparing them."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from audiocls.store.record import Cell, Cost, Record, Study

COMPUTE_TOLERANCE = 0.01

COMPUTE: dict[str, Callable[[Cost], float]] = {
    "epochs": lambda cost: cost.epochs,
    "steps": lambda cost: cost.steps,
    "samples": lambda cost: cost.samples,
    # Twice the steps' worth of passes (SAM) is twice the multiplications, at equal epochs.
    "macs": lambda cost: cost.macs * cost.samples * cost.gradient_passes / max(1, cost.steps),
}
_ENVIRONMENT = ("code", "torch", "device", "data")

Block = tuple[int, int]
Grid = Mapping[str, Mapping[Block, Cell]]
"""Arm → block → the cell planned there."""


@dataclass(frozen=True)
class Pair:
    """An arm and the baseline on the same seed and fold."""

    seed: int
    fold: int
    arm: Record
    baseline: Record

    def difference(self, metric: str) -> float:
        """Arm − baseline; rounded, since 0.3 and 0.1 + 0.2 are no evidence of anything."""
        return round(self.arm.metrics[metric] - self.baseline.metrics[metric], 12)


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
    arm: Mapping[Block, Cell], baseline: Mapping[Block, Cell], records: Mapping[str, Record]
) -> list[Pair]:
    """Every planned block of the arm on which both trials are finished."""
    return [
        Pair(*block, records[cell.id], records[baseline[block].id])
        for block, cell in arm.items()
        if cell.id in records and block in baseline and baseline[block].id in records
    ]


def objection(study: Study, grid: Grid, arm: str, pairs: Sequence[Pair]) -> str:
    """Why this arm may not be compared, or an empty text."""
    return "; ".join(
        filter(
            None,
            [
                _missing_pairs(study, grid, arm, pairs),
                *(_other_environment(pairs, part) for part in _ENVIRONMENT),
                _unequal_compute(pairs, study.match),
                _stopped_early(pairs),
            ],
        )
    )


def _missing_pairs(study: Study, grid: Grid, arm: str, pairs: Sequence[Pair]) -> str:
    planned = grid[arm]
    if not planned:
        return "no trial of this arm was planned"
    paired = {(pair.seed, pair.fold) for pair in pairs}
    absent = [block for block in planned if block not in paired]
    if len(absent) <= study.max_missing:
        return ""
    return (
        f"{len(absent)} of {len(planned)} pairs missing ({study.max_missing} allowed): "
        f"{_blocks(absent)}"
    )


def _other_environment(pairs: Sequence[Pair], part: str) -> str:
    def differs(pair: Pair) -> bool:
        return _part(pair.arm, part) != _part(pair.baseline, part)

    odd = [pair for pair in pairs if differs(pair)]
    if not odd:
        return ""
    arm, baseline = _part(odd[0].arm, part), _part(odd[0].baseline, part)
    return f"different {part} in {_share(odd, pairs)}: {arm}, baseline {baseline}"


def _part(record: Record, part: str) -> str:
    return str(getattr(record.provenance, part))


def _unequal_compute(pairs: Sequence[Pair], match: str) -> str:
    odd = [pair for pair in pairs if not _is_equal_compute(pair, match)]
    if not odd:
        return ""
    measure = COMPUTE[match]
    arm, baseline = measure(odd[0].arm.cost), measure(odd[0].baseline.cost)
    times = f"{arm / baseline:.2f}× the baseline's" if baseline else "the baseline has none"
    return f"unequal compute in {_share(odd, pairs)}: {match} {arm:.4g}, {times}"


def _is_equal_compute(pair: Pair, match: str) -> bool:
    close = partial(math.isclose, rel_tol=COMPUTE_TOLERANCE)
    measure = COMPUTE[match]
    return close(measure(pair.arm.cost), measure(pair.baseline.cost))


def extra_compute(pairs: Mapping[str, Sequence[Pair]], match: str) -> list[str]:
    """Which arms took more than the baseline although `match` lets that pass, and how much.

    At equal epochs on the same clips, that is a pre-training stage.
    """
    if match != "epochs":
        return []
    times = {arm: _times_as_many_clips(of_arm) for arm, of_arm in pairs.items()}
    odd = [f"{arm} {many:.2g} times" for arm, many in times.items() if not _is_one(many)]
    if not odd:
        return []
    return [
        "Epochs are equal after pre-training, not with it: compared with the baseline, "
        f"{', '.join(odd)} as many clips were heard in all. With budget.match: samples they would "
        "not be comparable."
    ]


def _times_as_many_clips(pairs: Sequence[Pair]) -> float:
    alike = [pair for pair in pairs if pair.arm.num_train == pair.baseline.num_train]
    heard = sum(pair.arm.cost.samples for pair in alike)
    return heard / max(1, sum(pair.baseline.cost.samples for pair in alike)) if alike else 1.0


def _is_one(times: float) -> bool:
    return math.isclose(times, 1.0, rel_tol=COMPUTE_TOLERANCE)


def _stopped_early(pairs: Sequence[Pair]) -> str:
    odd = [pair for pair in pairs if pair.arm.early_stopped or pair.baseline.early_stopped]
    return f"stopped early in {_share(odd, pairs)}" if odd else ""


def _share(odd: Sequence[Pair], pairs: Sequence[Pair]) -> str:
    return f"{len(odd)} of {len(pairs)} pairs"


def _blocks(blocks: Collection[Block], most: int = 3) -> str:
    names = [f"seed {seed} fold {fold}" for seed, fold in list(blocks)[:most]]
    more = [f"and {len(blocks) - most} more"] if len(blocks) > most else []
    return ", ".join(names + more)
