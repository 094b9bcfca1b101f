"""Pairs of an arm and the baseline on one block, and what forbids comparing them."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from audiocls.store.record import Cell, Cost, Record, Study

COMPUTE_TOLERANCE = 0.01


def _multiplications(cost: Cost) -> float | None:
    """Twice the steps' worth of passes (SAM) is twice the multiplications, at equal epochs."""
    macs, samples, passes, steps = cost.macs, cost.samples, cost.gradient_passes, cost.steps
    if macs is None or samples is None or passes is None or steps is None:
        return None
    return macs * samples * passes / max(1, steps)


COMPUTE: dict[str, Callable[[Cost], float | None]] = {
    "epochs": lambda cost: cost.epochs,
    "steps": lambda cost: cost.steps,
    "samples": lambda cost: cost.samples,
    "macs": _multiplications,
}
"""What may have to be equal, by its name in `match`; `None` where it was not recorded."""
UNKNOWN = "not recorded"
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
    arm, baseline = (_part(side, part) or UNKNOWN for side in (odd[0].arm, odd[0].baseline))
    return f"different {part} in {_share(odd, pairs)}: {arm}, baseline {baseline}"


def _part(record: Record, part: str) -> str:
    return str(getattr(record.provenance, part))


def _unequal_compute(pairs: Sequence[Pair], match: str) -> str:
    odd = [pair for pair in pairs if not _is_equal_compute(pair, match)]
    if not odd:
        return ""
    arm, baseline = _compute(odd[0], match)
    if arm is None or baseline is None:
        known, other = ("baseline", "arm") if arm is None else ("arm", "baseline")
        told = f"{match} recorded for the {known} and not for the {other}"
    else:
        times = f"{arm / baseline:.2f}× the baseline's" if baseline else "the baseline has none"
        told = f"{match} {arm:.4g}, {times}"
    return f"unequal compute in {_share(odd, pairs)}: {told}"


def _compute(pair: Pair, match: str) -> tuple[float | None, float | None]:
    measure = COMPUTE[match]
    return measure(pair.arm.cost), measure(pair.baseline.cost)


def _is_equal_compute(pair: Pair, match: str) -> bool:
    """Unknown is equal to unknown only: `unchecked` says so."""
    arm, baseline = _compute(pair, match)
    if arm is None or baseline is None:
        return arm is baseline
    return math.isclose(arm, baseline, rel_tol=COMPUTE_TOLERANCE)


def unchecked(pairs: Mapping[str, Sequence[Pair]], match: str) -> list[str]:
    """What arm and baseline should share but neither side recorded, so that nobody checked it."""
    every = [pair for of_arm in pairs.values() for pair in of_arm]
    notes = []
    without = [pair for pair in every if _compute(pair, match) == (None, None)]
    if without:
        notes.append(
            f"Compute ({match}) was not recorded in {_share(without, every)}: equal compute was "
            "not checked."
        )
    parts = [part for part in _ENVIRONMENT if any(_is_blank(pair, part) for pair in every)]
    if parts:
        notes.append(
            f"Not recorded for all pairs: {', '.join(parts)}. Whether arm and baseline agree "
            "in that was not checked."
        )
    return notes


def _is_blank(pair: Pair, part: str) -> bool:
    return not _part(pair.arm, part) and not _part(pair.baseline, part)


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
    alike = [
        (pair.arm.cost.samples, pair.baseline.cost.samples)
        for pair in pairs
        if pair.arm.num_train == pair.baseline.num_train
    ]
    heard = [(arm, baseline) for arm, baseline in alike if arm is not None and baseline is not None]
    if not heard:
        return 1.0
    return sum(arm for arm, _ in heard) / max(1, sum(baseline for _, baseline in heard))


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
