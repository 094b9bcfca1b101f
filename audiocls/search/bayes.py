"""Bayesian search through Optuna: the only door to it, opened when a proposal is asked for.

The sampler is the multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018). Of Optuna's model
based samplers it is the one that needs no torch, takes categories as they are, looks only at the
order of losses, so that one diverged trial spoils nothing, and answers at once after a thousand
trials.

There is no study to keep: it is rebuilt in memory from what was tried, each time. A number is
searched by its quantile, so that every distribution is respected as a prior and one kind of axis
serves all; rounding comes after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from audiocls.search.distributions import quantile_of, value_of
from audiocls.search.leaves import Path, leaves, nest, values_at
from audiocls.search.listed import Listed, listed
from audiocls.search.sampling import draw, stream
from audiocls.search.sweep import Categorical, Constant, Numeric, Sweep, Tried
from audiocls.search.worth import counted

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

NUM_RANDOM = 10
"""Trials whose loss is known before the model is asked; until then draws are random."""


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

    values: Listed

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(range(len(self.values)))

    def coordinate(self, value: Any) -> int | None:
        return self.values.position(value)

    def value(self, coordinate: float) -> Any:
        return self.values[int(coordinate)]


def suggest(sweep: Sweep, tried: Sequence[Tried]) -> dict[str, Any]:
    """What the model expects most of, given what was tried; random until it knows enough.

    What still runs is held for poor, so that trials that run side by side differ.
    """
    assert sweep.metric is not None
    losses = counted(sweep.metric, tried)
    if len(losses) - losses.count(None) < NUM_RANDOM:
        return draw(sweep, len(tried))
    found = leaves(sweep.parameters)
    space = {
        path: _dimension(leaf) for path, leaf in found.items() if not isinstance(leaf, Constant)
    }
    constants = {path: leaf.value for path, leaf in found.items() if isinstance(leaf, Constant)}
    study = _study(space, tried, losses, stream(sweep, len(tried)).getrandbits(32))
    asked = study.ask({_name(path): dimension.distribution() for path, dimension in space.items()})
    return nest(
        constants
        | {path: dimension.value(asked.params[_name(path)]) for path, dimension in space.items()}
    )


def _dimension(leaf: Categorical | Numeric) -> Dimension:
    if isinstance(leaf, Categorical) and leaf.probabilities is None:
        return Kinds(listed(leaf.values))
    return Quantiles(leaf)


def _study(
    space: Mapping[Path, Dimension],
    tried: Sequence[Tried],
    losses: Sequence[float | None],
    seed: int,
) -> "Study":
    """All that was tried and is of this sweep, in order; without a loss it counts as running."""
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True
    )
    study = optuna.create_study(sampler=sampler)
    distributions = {_name(path): dimension.distribution() for path, dimension in space.items()}
    for trial, loss in zip(tried, losses, strict=True):
        coordinates = _coordinates(space, trial.parameters)
        if coordinates is not None:
            study.add_trial(
                create_trial(
                    state=TrialState.RUNNING if loss is None else TrialState.COMPLETE,
                    value=loss,
                    params=coordinates,
                    distributions=distributions,
                )
            )
    return study


def _coordinates(
    space: Mapping[Path, Dimension], parameters: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Where a trial lies; none where it is of another sweep."""
    values = values_at(parameters, space)
    if values is None:
        return None
    found = {_name(path): dimension.coordinate(values[path]) for path, dimension in space.items()}
    return None if None in found.values() else found


def _name(path: Path) -> str:
    return "/".join(path)
