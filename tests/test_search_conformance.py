"""Searches against W&B's own engine, the package `sweeps`, as the oracle.

Its `SweepConfig` and `validate=True` are never used: both drop nested parameters in silence.
"""

import math
import random
import warnings

import numpy as np
import pytest
from scipy import stats

from audiocls.search import (
    Hyperband,
    Metric,
    Sweep,
    TrialResult,
    bands,
    load_sweep,
    propose,
    remaining,
    to_stop,
)
from audiocls.search.distributions import value_of
from audiocls.search.objective_values import imputed_losses

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # written for an older pydantic
    from sweeps.bayes_search import _construct_gp_data, bayes_baseline_validate_and_fill
    from sweeps.params import HyperParameter
    from sweeps.random_search import random_search_next_runs

    import sweeps

GRIDS = {
    "one": {"a": {"values": [3, 1, 2]}},
    "names sorted": {"b": {"values": [1, 2]}, "a": {"values": ["y", "x"]}, "B": {"values": [0, 1]}},
    "constants": {"b": {"value": 9}, "a": {"values": [1, 2]}, "c": {"value": None}},
    "only constants": {"b": {"value": 9}, "a": {"value": [1, 2]}},
    "integers": {"n": {"min": -2, "max": 3}, "m": {"values": [1]}},
    "integers by name": {"n": {"min": 5, "max": 9, "distribution": "int_uniform"}},
    "steps": {"p": {"distribution": "q_uniform", "min": 0.1, "max": 1.0, "q": 0.1}},
    "steps of a third": {"p": {"distribution": "q_uniform", "min": 0.0, "max": 2.0, "q": 1 / 3}},
    "steps that miss": {"p": {"distribution": "q_uniform", "min": 0.05, "max": 0.9, "q": 0.2}},
    "steps by default": {"p": {"distribution": "q_uniform", "min": 1, "max": 5}},
    "whole steps": {"p": {"distribution": "q_uniform", "min": 1, "max": 10, "q": 3}},
    "nested": {
        "z": {"values": [1, 2]},
        "optim": {
            "parameters": {
                "lr": {"values": [0.1, 0.01]},
                "sam": {
                    "parameters": {"rho": {"min": 1, "max": 2}, "on": {"values": [True, False]}}
                },
                "name": {"value": "adamw"},
            }
        },
        "optim2": {"values": [0, 1]},
    },
    "dots": {"model.width": {"values": [1, 2]}, "model": {"values": [3, 4]}},
    "kinds": {"x": {"values": [None, "1", 1, True, 1.5, "on", [1, 2], {"a": 1}]}},
    "twice": {"x": {"values": [1, 1.0, 2, 1]}, "y": {"values": ["a", "a", "b"]}},
    "nearly twice": {"x": {"values": [0, False, 0.0, "0", [1], [1.0], 1, True]}},
    "named distribution": {"x": {"distribution": "categorical", "values": [1, 2]}},
}

PARAMETERS = {
    "categorical": {"values": ["a", "b", "c"]},
    "categorical, one twice": {"values": [1, 2, 1]},
    "categorical_w_probabilities": {"values": [1, 2, 3], "probabilities": [0.2, 0.5, 0.3]},
    "one impossible": {"values": ["no", "yes", "maybe"], "probabilities": [0.0, 0.75, 0.25]},
    "int_uniform": {"min": -3, "max": 12},
    "uniform": {"min": -1.0, "max": 2.5},
    "uniform by name": {"distribution": "uniform", "min": 0, "max": 3},
    "q_uniform": {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.3},
    "q_uniform in integers": {"distribution": "q_uniform", "min": 1, "max": 10, "q": 3},
    "q_uniform by default": {"distribution": "q_uniform", "min": 0.4, "max": 6.6},
    "log_uniform": {"distribution": "log_uniform", "min": -9.2, "max": 0},
    "log_uniform_values": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.3},
    "inv_log_uniform": {"distribution": "inv_log_uniform", "min": -2.0, "max": 5.0},
    "inv_log_uniform_values": {"distribution": "inv_log_uniform_values", "min": 1e-3, "max": 7},
    "q_log_uniform": {"distribution": "q_log_uniform", "min": 0, "max": 3, "q": 2},
    "q_log_uniform_values": {"distribution": "q_log_uniform_values", "min": 1, "max": 30, "q": 2.5},
    "normal": {"distribution": "normal", "mu": 2, "sigma": 3},
    "normal by default": {"distribution": "normal"},
    "q_normal": {"distribution": "q_normal", "mu": 1.0, "sigma": 2.0, "q": 0.5},
    "q_normal in integers": {"distribution": "q_normal", "mu": 1.0, "sigma": 9.0, "q": 4},
    "log_normal": {"distribution": "log_normal", "mu": -1.0, "sigma": 0.5},
    "log_normal by default": {"distribution": "log_normal"},
    "q_log_normal": {"distribution": "q_log_normal", "mu": 2.0, "sigma": 0.5},
    "beta": {"distribution": "beta", "a": 2.0, "b": 5.0},
    "beta by default": {"distribution": "beta"},
    "q_beta": {"distribution": "q_beta", "a": 0.5, "b": 0.5, "q": 0.25},
}

RULES = {
    "min_iter": {"min_iter": 2},
    "min_iter, eta": {"min_iter": 1, "eta": 2},
    "broken eta": {"min_iter": 2, "eta": 1.5},
    "max_iter": {"max_iter": 9, "s": 2},
    "max_iter, eta": {"max_iter": 10, "s": 3, "eta": 2},
    "bands below one": {"max_iter": 5, "s": 9, "eta": 2},
    "not strict": {"min_iter": 2, "eta": 2, "strict": False},
    "strict": {"max_iter": 12, "s": 2, "eta": 2.5, "strict": True},
    "both": {"min_iter": 1, "max_iter": 12, "s": 2, "eta": 2},
}


def unwrapped(run):
    return {name: held["value"] for name, held in run.config.items()}


def theirs_of(trial, index, metric="m"):
    """A trial as W&B's engine knows it."""
    return sweeps.SweepRun(
        name=str(index),
        state="finished" if trial.state == "stopped" else trial.state,
        config={name: {"value": value} for name, value in trial.parameters.items()},
        history=[{metric: value} for value in trial.history],
        summary_metrics={} if trial.value is None else {metric: trial.value},
    )


# Grids


def walked(document):
    """Every cell in the order in which W&B's engine proposes them."""
    runs = []
    while (run := sweeps.next_run(document, runs)) is not None:
        runs.append(run)
    return [unwrapped(run) for run in runs]


@pytest.mark.parametrize("name", GRIDS)
def test_a_whole_grid_is_walked_in_their_order(name):
    document = {"method": "grid", "parameters": GRIDS[name]}
    cells = list(remaining(load_sweep(document, name), []))
    assert repr(cells) == repr([dict(sorted(cell.items())) for cell in walked(document)])


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_begun_elsewhere_is_finished_as_they_would(name):
    document = {"method": "grid", "parameters": GRIDS[name]}
    cells = walked(document)
    tried = [
        TrialResult(cell, "failed") for cell in random.Random(name).sample(cells, len(cells) // 2)
    ]
    run = sweeps.next_run(document, [theirs_of(trial, index) for index, trial in enumerate(tried)])
    assert propose(load_sweep(document, name), tried) == (run and unwrapped(run))


# Draws


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_quantile_is_the_value_that_they_give_it(name):
    theirs = HyperParameter("p", PARAMETERS[name])
    ours = load_sweep({"method": "random", "parameters": {"p": PARAMETERS[name]}}, name)
    for quantile in np.linspace(0.0005, 0.9995, 500).tolist():
        expected = theirs.ppf(quantile)
        expected = expected.item() if isinstance(expected, np.generic | np.ndarray) else expected
        value = value_of(ours.parameters["p"], quantile)
        assert type(value) is type(expected)
        assert value == (expected if isinstance(value, str | int) else pytest.approx(expected))


@pytest.mark.parametrize("name", PARAMETERS)
def test_draws_are_distributed_as_theirs(name):
    num_draws = 400
    document = {"method": "random", "parameters": {"p": PARAMETERS[name]}}
    random.seed(name)
    theirs = [unwrapped(run)["p"] for run in random_search_next_runs(document, n=num_draws)]
    sweep = load_sweep(document, name)
    ours = [propose(sweep, [None] * index)["p"] for index in range(num_draws)]
    values = sorted(set(theirs) | set(ours))
    if len(values) > num_draws / 4:
        assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    elif len(values) > 1:
        counts = [[drawn.count(value) for value in values] for drawn in (ours, theirs)]
        assert stats.chi2_contingency(counts).pvalue > 1e-3


# Stops


def histories(rng, goal):
    """Trials at work and ended, some of which log nothing, ties, or what is no number."""
    sign = -1 if goal == "maximize" else 1
    for _ in range(rng.randrange(1, 25)):
        length = rng.choice([0, 1, 2, 3, rng.randrange(15)])
        values = [sign * rng.choice([rng.random(), rng.randrange(3), 0.5]) for _ in range(length)]
        if values and rng.random() < 0.2:
            values[rng.randrange(length)] = rng.choice([math.nan, math.inf])
        state = rng.choice(["running", "running", "finished", "failed", "stopped"])
        yield TrialResult({"x": 1}, state, tuple(values))


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize("name", RULES)
def test_what_is_stopped_is_what_they_stop(name, goal):
    document = {
        "method": "random",
        "metric": {"name": "m", "goal": goal},
        "parameters": {"x": {"values": [1, 2]}},
        "early_terminate": {"type": "hyperband", **RULES[name]},
    }
    sweep = load_sweep(document, name)
    rng = random.Random(f"{name}/{goal}")
    num_stopped = 0
    for _ in range(40):
        tried = list(histories(rng, goal))
        runs = [theirs_of(trial, index) for index, trial in enumerate(tried)]
        assert to_stop(sweep, tried) == [int(run.name) for run in sweeps.stop_runs(document, runs)]
        num_stopped += len(to_stop(sweep, tried))
    assert num_stopped > 5


def test_the_rank_that_stays_is_rounded_as_theirs():
    document = {
        "method": "random",
        "metric": {"name": "m"},
        "parameters": {"x": {"values": [1, 2]}},
        "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 49},
    }
    tried = [TrialResult({"x": 1}, "running", (float(loss),)) for loss in range(49)]
    runs = [theirs_of(trial, index) for index, trial in enumerate(tried)]
    assert len(sweeps.stop_runs(document, runs)) == 48  # 49 / 49 would leave two
    assert to_stop(load_sweep(document, "eta"), tried) == list(range(1, 49))


# What a model is told


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize("while_running", ["false", "worst", "best", "latest"])
@pytest.mark.parametrize("impute", ["worst", "best", "latest"])
def test_losses_told_to_the_model_are_theirs(impute, while_running, goal):
    metric = {"name": "m", "goal": goal, "impute": impute, "impute_while_running": while_running}
    document = {"method": "bayes", "metric": metric, "parameters": {"x": {"min": 0.0, "max": 1.0}}}
    ours = load_sweep(document, "bayes").metric
    filled = bayes_baseline_validate_and_fill(document)
    rng = random.Random(f"{impute}/{while_running}/{goal}")
    for _ in range(20):
        tried = [TrialResult({"x": 0.5}, "finished", (0.5,), 0.25)]
        for trial in histories(rng, goal):
            # Where a trial knows no value of its own, only `worst` is theirs; see below.
            if impute == while_running == "worst" or any(map(math.isfinite, trial.history)):
                tried.append(TrialResult({"x": 0.5}, trial.state, trial.history))
        runs = [theirs_of(trial, index) for index, trial in enumerate(tried)]
        _, _, _, told, _ = _construct_gp_data(runs, filled)
        assert [loss for loss in imputed_losses(ours, tried) if loss is not None] == told.tolist()


# Differences, each with its reason


def test_unlike_theirs_a_cap_and_a_target_are_kept():
    """Theirs are kept by W&B's server, not by the engine; its documentation is the reference."""
    document = {
        "method": "random",
        "metric": {"name": "m", "target": 0.1},
        "parameters": {"x": {"values": [1, 2]}},
        "run_cap": 1,
    }
    tried = [TrialResult({"x": 1}, "finished", (0.05,), 0.05)]
    assert sweeps.next_run(document, [theirs_of(tried[0], 0)]) is not None
    assert propose(load_sweep(document, "capped"), tried) is None
    uncapped = {key: value for key, value in document.items() if key != "run_cap"}
    assert propose(load_sweep(uncapped, "aimed"), tried) is None


def test_unlike_theirs_a_trial_that_knows_nothing_never_counts_as_zero():
    """Zero is a perfect loss, and would draw the search to where trials fail."""
    document = {
        "method": "bayes",
        "metric": {"name": "m", "impute": "best"},
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }
    tried = [TrialResult({"x": 0.5}, "finished", (2.0,)), TrialResult({"x": 0.1}, "failed")]
    runs = [theirs_of(trial, index) for index, trial in enumerate(tried)]
    _, _, _, told, _ = _construct_gp_data(runs, bayes_baseline_validate_and_fill(document))
    assert told.tolist() == [2.0, 0.0]
    assert imputed_losses(load_sweep(document, "bayes").metric, tried) == [2.0, 2.0]


def test_unlike_theirs_what_was_stopped_early_keeps_its_value():
    """To their engine an agent's stop is a kill, and a kill a failure; ours knows why it ended."""
    killed = sweeps.SweepRun(state="killed", history=[{"m": 1.0}], config={"x": {"value": 0.1}})
    worse = sweeps.SweepRun(state="finished", history=[{"m": 2.0}], config={"x": {"value": 0.1}})
    document = {
        "method": "bayes",
        "metric": {"name": "m"},
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }
    filled = bayes_baseline_validate_and_fill(document)
    assert _construct_gp_data([killed, worse], filled)[3].tolist() == [2.0, 2.0]
    tried = [
        TrialResult({"x": 0.1}, "stopped", (1.0,)),
        TrialResult({"x": 0.1}, "finished", (2.0,)),
    ]
    assert imputed_losses(Metric("m"), tried) == [1.0, 2.0]


def test_unlike_theirs_a_rule_without_bands_stops_nothing():
    """They refuse in the middle of a sweep what could be known from its file."""
    assert bands(Hyperband(max_iter=2, s=3)) == ()
    document = {
        "metric": {"name": "m"},
        "early_terminate": {"type": "hyperband", "max_iter": 2, "s": 3},
    }
    with pytest.raises(ValueError, match="at least 1"):
        sweeps.stop_runs(document, [])
    sweep = Sweep("random", {}, Metric("m"), Hyperband(max_iter=2, s=3))
    assert to_stop(sweep, [TrialResult({}, "running", (1.0,) * 9)] * 2) == []
