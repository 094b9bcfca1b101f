"""Bayesian search through Optuna, opened when a proposal is asked for.

The sampler is the multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018). Of Optuna's model
based samplers it is the one that needs no torch, takes categories as they are, looks only at the
order of losses, so that one diverged trial spoils nothing, and answers at once after a thousand
trials. The price: on a smooth function without noise a Gaussian process gets closer to the best.

There is no study to keep: it is rebuilt in memory from what was tried, each time.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audiocls.search.leaves import Path, assemble, constants
from audiocls.search.objective_values import imputed_losses
from audiocls.search.sampling import draw, stream
from audiocls.search.space import Dimension, coordinates_of, name_of, space_of
from audiocls.search.sweep import Sweep, TrialResult

if TYPE_CHECKING:
    from optuna import Study

NUM_RANDOM = 10
"""Trials whose loss is known before the model is asked; until then draws are random."""


def suggest(sweep: Sweep, tried: Sequence[TrialResult]) -> dict[str, Any]:
    """What the model expects most of, given what was tried; random until it knows enough.

    What still runs is held for poor, so that trials that run side by side differ.
    """
    assert sweep.metric is not None
    losses = imputed_losses(sweep.metric, tried)
    if len(losses) - losses.count(None) < NUM_RANDOM:
        return draw(sweep, len(tried))
    space = space_of(sweep)
    study = _study(space, tried, losses, stream(sweep, len(tried)).getrandbits(32))
    asked = study.ask(
        {name_of(path): dimension.distribution() for path, dimension in space.items()}
    )
    chosen = {path: found.value(asked.params[name_of(path)]) for path, found in space.items()}
    return assemble(constants(sweep.parameters) | chosen)


def _study(
    space: Mapping[Path, Dimension],
    tried: Sequence[TrialResult],
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
    distributions = {name_of(path): dimension.distribution() for path, dimension in space.items()}
    for trial, loss in zip(tried, losses, strict=True):
        coordinates = coordinates_of(space, trial.parameters)
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
