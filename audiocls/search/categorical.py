"""`CategoricalValues`: the distinct values of a parameter, found again by value."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


def spelling(value: Any) -> str:
    """One text for what W&B takes for one value: `1` and `1.0` are the same, `True` is another.

    >>> spelling(1) == spelling(1.0), spelling(1) == spelling(True), spelling(1) == spelling("1")
    (True, False, False)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=repr)


@dataclass(frozen=True)
class CategoricalValues:
    """Distinct values in order; made by `listed`."""

    values: tuple[Any, ...]
    positions: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Any:
        return self.values[index]

    def position(self, value: Any) -> int | None:
        """Where `value` stands, in whichever spelling; none if it is not listed."""
        return self.positions.get(spelling(value))


def listed(values: Iterable[Any]) -> CategoricalValues:
    """A value given twice keeps its first place and its last spelling, as W&B's grid has it."""
    distinct = {spelling(value): value for value in values}
    positions = {text: position for position, text in enumerate(distinct)}
    return CategoricalValues(tuple(distinct.values()), positions)
