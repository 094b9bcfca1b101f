"""How long what is left of a study takes, by what its store says, whoever trains it."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from audiocls.dotted import flatten
from audiocls.store import Cell, Proposal, Record, State, TrialFolder

EPOCHS = "train.epochs"


@dataclass(frozen=True)
class Underway:
    """How far a running trial is; epochs count from 1, and are logged rows of a program."""

    epoch: int = 0
    num_epochs: int = 0
    """0 where that is not known."""
    elapsed_s: float = 0.0
    """Since its attempt began."""
    values: Mapping[str, Any] | None = None
    """The last row of its history."""

    @property
    def share(self) -> float:
        """What of its epochs is trained, 0 to 1."""
        return min(1.0, self.epoch / self.num_epochs) if self.num_epochs else 0.0

    @property
    def expected_s(self) -> float | None:
        """How long it takes as a whole, at its pace so far."""
        return self.elapsed_s / self.share if self.share else None


def underway(trial: TrialFolder) -> Underway:
    """Return how far a running trial is, from its files."""
    rows = trial.history()
    num_epochs = flatten(trial.config()).get(EPOCHS)
    last = rows[-1] if rows else None
    return Underway(
        int(last.get("epoch", len(rows))) if last else 0,
        num_epochs if isinstance(num_epochs, int) else 0,
        _elapsed_s(trial),
        last,
    )


def _elapsed_s(trial: TrialFolder) -> float:
    with suppress(OSError):
        return max(0.0, time.time() - (trial.path / "attempt").stat().st_mtime)
    return 0.0


def seconds_left(
    cells: Sequence[Cell | Proposal],
    states: Mapping[str, State],
    records: Mapping[str, Record],
    running: Mapping[str, Underway],
) -> float | None:
    """Return the seconds until all trials have ended, with as many at once as run now.

    A trial takes as long as those of its arm took on average, or as all did; before any has ended,
    as long as the running ones will at their pace. `None` where nothing runs or nothing tells.
    """
    expected = _expected(cells, records, running)
    if not running or expected is None:
        return None
    arms, anywhere = expected
    left = 0.0
    for cell in cells:
        if states[cell.id] in ("pending", "running"):
            whole = arms.get(_arm(cell), anywhere)
            share = running[cell.id].share if cell.id in running else 0.0
            left += whole * (1 - share)
    return left / len(running) * _pack(records)


def _expected(
    cells: Sequence[Cell | Proposal],
    records: Mapping[str, Record],
    running: Mapping[str, Underway],
) -> tuple[dict[str, float], float] | None:
    """Return the seconds of a trial by arm, and of any trial."""
    by_arm: dict[str, list[float]] = {}
    for cell in cells:
        record = records.get(cell.id)
        if record is not None and record.cost.wall_s is not None:
            by_arm.setdefault(_arm(cell), []).append(record.cost.wall_s)
    known = [seconds for each in by_arm.values() for seconds in each]
    known = known or [each.expected_s for each in running.values() if each.expected_s is not None]
    return ({arm: fmean(each) for arm, each in by_arm.items()}, fmean(known)) if known else None


def _arm(cell: Cell | Proposal) -> str:
    return cell.arm if isinstance(cell, Cell) else ""


def _pack(records: Mapping[str, Record]) -> float:
    """Return the trials that share a worker, on average: their seconds are a share of its time."""
    packs = [record.cost.pack or 1 for record in records.values()]
    return fmean(packs) if packs else 1.0


def seconds_spent(records: Mapping[str, Record]) -> float:
    """Return the wall time of all finished trials, in seconds of one worker."""
    return math.fsum(record.cost.wall_s or 0.0 for record in records.values())
