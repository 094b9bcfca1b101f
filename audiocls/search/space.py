"""A sweep's parameters as Optuna's axes.

A number lies at its quantile, so that every distribution is respected as a prior and one kind of
axis serves all; rounding comes after.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from audiocls.search.categorical import CategoricalValues, listed
from audiocls.search.distributions import quantile_of, value_of
from audiocls.search.leaves import Path, values_at, varying
from audiocls.search.sweep import Categorical, Numeric, Sweep

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class Dimension(Protocol):
    """One parameter as the model sees it."""

    def distribution(self) -> "BaseDistribution": ...

    def coordinate(self, value: Any) -> float | int | None:
        """Where a value lies, none if it is not of this sweep."""

    def value(self, coordinate: float) -> Any: ...


@dataclass(frozen=True)
class Quantiles:
    """A parameter whose distribution says something: searched on the unit interval."""

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
    """Equally likely values, none nearer to one than to another."""

    values: CategoricalValues

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(range(len(self.values)))

    def coordinate(self, value: Any) -> int | None:
        return self.values.position(value)

    def value(self, coordinate: float) -> Any:
        return self.values[int(coordinate)]


def space_of(sweep: Sweep) -> dict[Path, Dimension]:
    """What is searched, in W&B's order."""
    return {path: _dimension(leaf) for path, leaf in varying(sweep.parameters).items()}


def _dimension(leaf: Categorical | Numeric) -> Dimension:
    if isinstance(leaf, Categorical) and leaf.probabilities is None:
        return Kinds(listed(leaf.values))
    return Quantiles(leaf)


def coordinates_of(
    space: Mapping[Path, Dimension], parameters: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Where a trial lies; none where it is of another sweep."""
    values = values_at(parameters, space)
    if values is None:
        return None
    found = {name_of(path): dimension.coordinate(values[path]) for path, dimension in space.items()}
    return None if None in found.values() else found


def name_of(path: Path) -> str:
    """What Optuna calls it."""
    return "/".join(path)
