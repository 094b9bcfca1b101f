"""Grids in W&B's order, one cell at a time: names sorted, the last varies fastest.

A cell is a number in mixed radix with one digit for each parameter. So a grid of 10⁹ cells costs
nothing until it is walked, and the cell of a trial is computed, not searched.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from audiocls.search.parameters import (
    Path,
    assemble,
    constants,
    distinct_values,
    values_at,
    varying,
)
from audiocls.search.sweep import Categorical, Numeric, Sweep, TrialResult


class Axis(Protocol):
    """The values of one parameter, in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...

    def position(self, value: Any) -> int | None: ...


@dataclass(frozen=True)
class Steps:
    """`count` numbers from `start`, `step` apart, without a list of them."""

    start: float | int
    step: float | int
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> float | int:
        return self.start + index * self.step

    def position(self, value: Any) -> int | None:
        """Return the position of `value`, or None for any other value."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not math.isfinite(value):
            return None
        index = round((value - self.start) / self.step)
        return index if 0 <= index < self.count and self[index] == value else None


def grid_size(sweep: Sweep) -> int | None:
    """Return the number of cells before any cap, or None if the sweep is no grid."""
    if sweep.method != "grid":
        return None
    return math.prod(len(axis) for axis in _axes(sweep).values())


def num_remaining(sweep: Sweep, tried: Sequence[TrialResult]) -> int | None:
    """Return the number of cells that were not tried, or None if the sweep is no grid.

    Trials of another grid, from before the sweep was changed, do not count.
    """
    if sweep.method != "grid":
        return None
    axes = _axes(sweep)
    known = {_number_of(axes, trial.parameters) for trial in tried} - {None}
    return math.prod(map(len, axes.values())) - len(known)


def remaining(sweep: Sweep, tried: Sequence[TrialResult]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of the cells that were not tried, without regard to cap and target.

    Keep this iterator to walk a long grid, since each call reads all trials.
    """
    axes = _axes(sweep)
    fixed = constants(sweep.parameters)
    seen = {_number_of(axes, trial.parameters) for trial in tried}
    for number in range(math.prod(len(axis) for axis in axes.values())):
        if number not in seen:
            yield assemble(fixed | _cell(axes, number))


def _axes(sweep: Sweep) -> dict[Path, Axis]:
    """Return the parameters that vary; constants do not distinguish cells for W&B."""
    return {path: _axis(leaf) for path, leaf in varying(sweep.parameters).items()}


def _axis(leaf: Categorical | Numeric) -> Axis:
    match leaf:
        case Categorical(values):
            return distinct_values(values)
        case Numeric("int_uniform", int(low), int(high)):
            return Steps(low, 1, high - low + 1)
        case Numeric("q_uniform", int() | float() as low, int() | float() as high):
            assert leaf.q is not None
            # The step that remains after rounding, and the maximum left out, both as `np.arange`.
            return Steps(low, (low + leaf.q) - low, math.ceil((high - low) / leaf.q))
    raise AssertionError(f"no grid has an axis of {leaf}")


def _number_of(axes: dict[Path, Axis], parameters: Mapping[str, Any]) -> int | None:
    values = values_at(parameters, axes)
    if values is None:
        return None
    number = 0
    for path, axis in axes.items():
        position = axis.position(values[path])
        if position is None:
            return None
        number = number * len(axis) + position
    return number


def _cell(axes: dict[Path, Axis], number: int) -> dict[Path, Any]:
    digits: dict[Path, Any] = {}
    for path in reversed(axes):
        number, position = divmod(number, len(axes[path]))
        digits[path] = axes[path][position]
    return digits
