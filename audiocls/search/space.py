"""A sweep's parameters as Optuna's axes.

A number lies at its quantile, so that every distribution is respected as a prior and one kind of
axis serves all; rounding comes after.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from audiocls.search.distributions import quantile_of, value_of
from audiocls.search.parameters import (
    CategoricalValues,
    Path,
    distinct_values,
    searched_of,
    values_at,
)
from audiocls.search.sweep import Categorical, Numeric, Sweep

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class Dimension(Protocol):
    """One parameter as an axis of the model."""

    def distribution(self) -> "BaseDistribution": ...

    def coordinate(self, value: Any) -> float | int | None:
        """Return the coordinate of a value, or None for a value of another sweep."""

    def value(self, coordinate: float) -> Any: ...


@dataclass(frozen=True)
class Quantiles:
    """A parameter with a distribution, searched on the unit interval of its quantiles."""

    parameter: Numeric | Categorical

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import FloatDistribution

        return FloatDistribution(0.0, 1.0)

    def coordinate(self, value: Any) -> float | None:
        return quantile_of(self.parameter, value)

    def value(self, coordinate: float) -> Any:
        return value_of(self.parameter, coordinate)


@dataclass(frozen=True)
class Kinds:
    """Equally likely values without an order."""

    values: CategoricalValues

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(range(len(self.values)))

    def coordinate(self, value: Any) -> int | None:
        return self.values.position(value)

    def value(self, coordinate: float) -> Any:
        return self.values[int(coordinate)]


def space_of(sweep: Sweep) -> dict[Path, Dimension]:
    """Return the axes of the parameters that are searched, in W&B's order; blocks are not."""
    searched = searched_of(sweep.parameters, sweep.blocks.values())
    return {path: _dimension(leaf) for path, leaf in searched.items()}


def _dimension(leaf: Categorical | Numeric) -> Dimension:
    if isinstance(leaf, Categorical) and leaf.probabilities is None:
        return Kinds(distinct_values(leaf.values))
    return Quantiles(leaf)


def coordinates_of(
    space: Mapping[Path, Dimension], parameters: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return a trial's coordinates by name, or None for a trial of another sweep."""
    values = values_at(parameters, space)
    if values is None:
        return None
    coordinates = {name_of(path): axis.coordinate(values[path]) for path, axis in space.items()}
    return None if None in coordinates.values() else coordinates


def name_of(path: Path) -> str:
    """Return the name of a parameter in Optuna's study."""
    return "/".join(path)
