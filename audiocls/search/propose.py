"""The next trial of a sweep by its method: grid, random, or Bayesian through Optuna.

The Bayesian sampler is the multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018). Among
Optuna's model-based samplers it alone needs no torch, takes categories as they are, uses only the
order of the losses, so that one diverged trial spoils nothing, and is fast after a thousand trials.
It is a bad choice for a smooth objective without noise, where a Gaussian process gets closer.
Optuna's study is rebuilt in memory from the trials at each call.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audiocls.errors import ConfigError
from audiocls.search.distributions import draw, stream
from audiocls.search.grid import remaining
from audiocls.search.objective_values import has_reached_target, imputed_losses
from audiocls.search.parameters import Path, assemble, constants, values_at, varying
from audiocls.search.space import Dimension, coordinates_of, name_of, space_of
from audiocls.search.sweep import Sweep, TrialResult

if TYPE_CHECKING:
    from optuna import Study

NUM_RANDOM = 10
"""Trials with a known loss before the model is used; until then draws are random."""


def propose(sweep: Sweep, tried: Sequence[TrialResult]) -> dict[str, Any] | None:
    """Return the next trial's parameters, nested as W&B passes them on, or None at the end.

    `tried` holds every proposal so far, in order and in any state; its length is the index of the
    next one. Raises `ConfigError` for the method `custom`.
    """
    if sweep.method == "custom":
        raise _custom(sweep)
    if is_over(sweep, tried):
        return None
    match sweep.method:
        case "grid":
            return next(remaining(sweep, tried), None)
        case "random":
            return draw(sweep, len(tried))
        case "bayes":
            return _suggest(sweep, tried)


def is_over(sweep: Sweep, tried: Sequence[TrialResult]) -> bool:
    """Whether the cap or the target is reached; a grid also ends when no cell remains."""
    is_capped = sweep.run_cap is not None and len(tried) >= sweep.run_cap
    return is_capped or has_reached_target(sweep, tried)


def _custom(sweep: Sweep) -> ConfigError:
    fault = (
        "method: got 'custom', whose trials are proposed by a scheduler of your own or by W&B's "
        "server; allowed here: grid, random, bayes. Choose one of these, or create the sweep on "
        "a server with `wandb sweep`, start its scheduler there, and join it with "
        "`audiocls sweep agent ENTITY/PROJECT/ID`"
    )
    return ConfigError(f"sweep {sweep.name}" if sweep.name else "sweep", [fault])


def _suggest(sweep: Sweep, tried: Sequence[TrialResult]) -> dict[str, Any]:
    """Return the parameters that the model expects most of; random ones until it has data.

    Running trials get the worst known value (constant liar), so that parallel proposals differ.
    """
    assert sweep.metric is not None
    losses = imputed_losses(sweep.metric, tried)
    if len(losses) - losses.count(None) < NUM_RANDOM:
        return draw(sweep, len(tried))
    space = space_of(sweep)
    study = _study(space, tried, losses, stream(sweep, len(tried)).getrandbits(32))
    proposal = study.ask(
        {name_of(path): dimension.distribution() for path, dimension in space.items()}
    )
    chosen = {
        path: dimension.value(proposal.params[name_of(path)]) for path, dimension in space.items()
    }
    return assemble(constants(sweep.parameters) | _blocks(sweep, len(tried)) | chosen)


def _blocks(sweep: Sweep, index: int) -> dict[Path, Any]:
    """Return the drawn seed and fold of trial `index`: the model must not choose the luckiest."""
    blocks = {*varying(sweep.parameters)} - {*space_of(sweep)}
    return values_at(draw(sweep, index), blocks) or {}


def _study(
    space: Mapping[Path, Dimension],
    tried: Sequence[TrialResult],
    losses: Sequence[float | None],
    seed: int,
) -> "Study":
    """Return the trials of this sweep in order; those without a loss count as running."""
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
