"""The cells of a study as they run: a table where each can be read, strips where there are many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from audiocls.live.watched import View
from audiocls.store import Cell, State, count_states

MOST_IN_TABLE = 400
"""Cells that are links of their own; beyond, an arm is a strip, and failed ones are listed."""
MARKS: dict[State, str] = {"done": "✓", "failed": "✗", "running": "▶", "pending": "·"}
LEAST_FOLDS = 2


@dataclass(frozen=True)
class Place:
    """A cell of the table."""

    id: str
    state: State
    mark: str
    progress: str = ""
    """`epoch 3 of 10`, of a running trial."""


@dataclass(frozen=True)
class Row:
    """An arm, its counts and its cells in the order of the blocks; `None` where none is planned."""

    arm: str
    counts: Mapping[State, int]
    places: Sequence[Place | None] = ()
    strip: Mapping[State, str] | None = None
    """State → SVG path of one unit a cell, where there are too many for a table."""


@dataclass(frozen=True)
class Matrix:
    """All arms × blocks; the columns are seeds, each with its folds."""

    rows: Sequence[Row]
    seeds: Sequence[tuple[int, int]] = ()
    """Seeds and how many folds each has."""
    folds: Sequence[int] = ()
    """The fold of each column; empty where there is but one."""
    num_blocks: int = 0

    @property
    def is_table(self) -> bool:
        """Whether cells have places of their own."""
        return any(row.places for row in self.rows)


def matrix(view: View) -> Matrix:
    """Return the cells by arm, or all trials of a search as one row."""
    blocks = sorted(view.study.blocks)
    if not view.study.arms:
        return Matrix([_strip("trials", [cell.id for cell in view.cells], view)], (), (), 0)
    by_arm: dict[str, dict[tuple[int, int], Cell]] = {arm: {} for arm in view.study.arms}
    for cell in view.study.cells:
        by_arm[cell.arm][cell.block] = cell
    seeds = [(seed, len(list(each))) for seed, each in groupby(blocks, lambda block: block[0])]
    folds = [fold for _, fold in blocks] if len(set(view.study.folds)) >= LEAST_FOLDS else []
    is_table = len(view.cells) <= MOST_IN_TABLE
    ids = {arm: [_id(cells.get(block)) for block in blocks] for arm, cells in by_arm.items()}
    make = _table_row if is_table else _strip
    return Matrix([make(arm, each, view) for arm, each in ids.items()], seeds, folds, len(blocks))


def _id(cell: Cell | None) -> str:
    return cell.id if cell else ""


def _table_row(arm: str, ids: Sequence[str], view: View) -> Row:
    return Row(arm, _counts(ids, view), [_place(id_, view) for id_ in ids])


def _counts(ids: Sequence[str], view: View) -> dict[State, int]:
    return count_states({id_: view.status.states[id_] for id_ in ids if id_})


def _place(trial_id: str, view: View) -> Place | None:
    if not trial_id:
        return None
    state = view.status.states[trial_id]
    return Place(trial_id, state, MARKS[state], progress(view, trial_id))


def progress(view: View, trial_id: str) -> str:
    """Return `epoch 3 of 10` or `3 logged` of a running trial, else an empty text."""
    at = view.running.get(trial_id)
    if at is None:
        return ""
    if at.num_epochs:
        return f"epoch {at.epoch} of {at.num_epochs}"
    return f"{at.epoch} logged" if at.epoch else "starting"


def _strip(arm: str, ids: Sequence[str], view: View) -> Row:
    states = view.status.states
    paths: dict[State, str] = {}
    for state, start, length in _runs([states[id_] if id_ else None for id_ in ids]):
        paths[state] = paths.get(state, "") + f"M{start} 0h{length}v1h-{length}z"
    return Row(arm, _counts(ids, view), strip=paths)


def _runs(states: Sequence[State | None]) -> Iterator[tuple[State, int, int]]:
    """Yield each run of cells alike that are planned: its state, its start, its length."""
    start = 0
    for state, each in groupby(states):
        length = len(list(each))
        if state is not None:
            yield state, start, length
        start += length
