"""What searches propose and stop: rules that hold whoever else's engine says so."""

import math
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice, product

import pytest

from audiocls.errors import ConfigError
from audiocls.search import (
    Categorical,
    Constant,
    Hyperband,
    Metric,
    Nested,
    Numeric,
    Sweep,
    TrialResult,
    bands,
    best,
    grid_size,
    has_reached_target,
    propose,
    remaining,
    to_stop,
)
from audiocls.search.distributions import quantile_of, value_of
from audiocls.search.objective_values import imputed_losses
from audiocls.search.propose import NUM_RANDOM

LOSS = Metric("loss")
STARTED = TrialResult({}, "running")

NUMBERS = {
    "int_uniform": Numeric("int_uniform", -3, 4),
    "uniform": Numeric("uniform", -1.0, 2.5),
    "q_uniform": Numeric("q_uniform", -1.0, 2.0, q=0.25),
    "log_uniform": Numeric("log_uniform", -9.0, 0.5),
    "log_uniform_values": Numeric("log_uniform_values", 1e-5, 0.3),
    "inv_log_uniform": Numeric("inv_log_uniform", -2.0, 6.0),
    "inv_log_uniform_values": Numeric("inv_log_uniform_values", 1e-3, 7.0),
    "q_log_uniform": Numeric("q_log_uniform", 0.0, 6.0, q=2),
    "q_log_uniform_values": Numeric("q_log_uniform_values", 1.0, 300.0, q=0.5),
    "normal": Numeric("normal", mu=2.0, sigma=3.0),
    "q_normal": Numeric("q_normal", mu=20.0, sigma=30.0, q=1),
    "log_normal": Numeric("log_normal", mu=-1.0, sigma=0.5),
    "q_log_normal": Numeric("q_log_normal", mu=3.0, sigma=0.5, q=1.0),
    "beta": Numeric("beta", a=2.0, b=5.0),
    "q_beta": Numeric("q_beta", a=2.0, b=0.5, q=0.125),
}
EVERY_FORM = NUMBERS | {
    "one": Constant(7),
    "kind": Categorical(("sam", None, True, 1, (2, 3))),
    "weighted": Categorical(("never", "often", "rarely"), (0.0, 0.9, 0.1)),
    "optim": Nested({"lr": NUMBERS["log_uniform_values"], "name": Constant("adamw")}),
}


def grid(**parameters):
    return Sweep("grid", parameters)


def done(parameters, value=0.0, state="finished"):
    return TrialResult(parameters, state, (value,), value)


def run(sweep, num_trials, loss, state="finished"):
    """The search's own loop, one trial at a time."""
    tried = []
    for _ in range(num_trials):
        parameters = propose(sweep, tried)
        tried.append(done(parameters, loss(parameters), state))
    return tried


# Grids


def test_a_grid_sorts_names_and_varies_the_last_fastest_values_as_given():
    sweep = grid(lr=Categorical((3, 1)), arm=Categorical(("b", "a")))
    assert [tuple(cell.values()) for cell in remaining(sweep, [])] == [
        ("b", 3),
        ("b", 1),
        ("a", 3),
        ("a", 1),
    ]


def test_nested_parameters_vary_where_the_outer_name_stands_and_come_back_nested():
    inner = Nested({"lr": Categorical((1, 2)), "eps": Constant(9)})
    sweep = grid(z=Categorical((5, 6)), optim=Nested({"sam": inner}))
    assert list(remaining(sweep, [])) == [
        {"optim": {"sam": {"eps": 9, "lr": lr}}, "z": z} for lr, z in product((1, 2), (5, 6))
    ]


def test_integers_of_a_grid_include_their_maximum_and_steps_exclude_it():
    sweep = grid(n=Numeric("int_uniform", 2, 4))
    assert [cell["n"] for cell in remaining(sweep, [])] == [2, 3, 4]
    sweep = grid(p=Numeric("q_uniform", 0.0, 1.0, q=0.25))
    assert [cell["p"] for cell in remaining(sweep, [])] == [0.0, 0.25, 0.5, 0.75]


def test_one_and_one_point_zero_are_one_cell_and_true_is_another():
    sweep = grid(x=Categorical((1, 1.0, True, "1", None)))
    assert grid_size(sweep) == 4
    left = [cell["x"] for cell in remaining(sweep, [done({"x": 1})])]
    assert left == [True, "1", None]
    assert left[0] is True
    numbers = grid(x=Numeric("int_uniform", 0, 1))
    assert [cell["x"] for cell in remaining(numbers, [done({"x": 1.0})])] == [0]
    assert [cell["x"] for cell in remaining(numbers, [done({"x": True})])] == [0, 1]


def test_a_grid_has_one_cell_when_nothing_varies():
    sweep = grid(x=Constant(3))
    assert propose(sweep, []) == {"x": 3}
    assert propose(sweep, [done({"x": 3})]) is None


@pytest.mark.parametrize("state", ["running", "finished", "failed", "stopped"])
def test_a_cell_is_proposed_once_whatever_became_of_it(state):
    sweep = grid(a=Categorical((1, 2, 3)), b=Numeric("q_uniform", 0.1, 1.0, q=0.1))
    tried = []
    while (cell := propose(sweep, tried)) is not None:
        tried.append(TrialResult(cell, state))
    assert len(tried) == len({str(trial.parameters) for trial in tried}) == grid_size(sweep) == 27


def test_a_grid_schedules_what_is_missing_in_whatever_order_the_rest_was_tried():
    sweep = grid(a=Categorical((1, 2)), b=Categorical((1, 2)))
    tried = [done({"a": 2, "b": 1}), done({"a": 1, "b": 1}), done({"a": 7, "b": 1}), done({})]
    assert list(remaining(sweep, tried)) == [{"a": 1, "b": 2}, {"a": 2, "b": 2}]


def test_a_grid_of_a_billion_cells_is_not_written_out():
    sweep = grid(**{name: Numeric("int_uniform", 0, 999) for name in "abc"})
    assert grid_size(sweep) == 10**9
    started = time.process_time()
    assert propose(sweep, [done({"a": 0, "b": 0, "c": 0})]) == {"a": 0, "b": 0, "c": 1}
    assert time.process_time() - started < 0.1
    assert grid_size(grid(n=Numeric("int_uniform", 0, 10**9))) == 10**9 + 1


def test_ten_thousand_cells_are_walked_at_once():
    sweep = grid(a=Numeric("int_uniform", 0, 99), b=Categorical(tuple(range(100))))
    started = time.process_time()
    cells = list(remaining(sweep, []))
    assert len(cells) == 10_000
    assert propose(sweep, [done(cell) for cell in cells[:-1]]) == cells[-1]
    assert time.process_time() - started < 2


# When a sweep is over


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_a_cap_counts_every_proposal(method):
    sweep = Sweep(method, {"x": Categorical((1, 2, 3, 4))}, LOSS, run_cap=2)
    assert propose(sweep, [TrialResult({"x": 1}, "failed")]) is not None
    assert (
        propose(sweep, [TrialResult({"x": 1}, "failed"), TrialResult({"x": 2}, "running")]) is None
    )


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_a_target_reached_anywhere_in_a_history_ends_the_sweep(goal):
    sign = 1 if goal == "minimize" else -1
    sweep = Sweep("random", {"x": Categorical((1,))}, Metric("m", goal, target=sign * 0.5))
    short = TrialResult({"x": 1}, "running", (sign * 0.9, sign * 0.51, math.nan, sign * 0.8))
    assert not has_reached_target(sweep, [short])
    assert propose(sweep, [short]) is not None
    reached = replace(short, history=(*short.history[:2], sign * 0.5, sign * 2))
    assert has_reached_target(sweep, [short, reached])
    assert propose(sweep, [short, reached]) is None


def test_custom_methods_are_refused_with_what_to_do():
    with pytest.raises(ConfigError, match=r"(?s)sweep mine:.*'custom'.*grid, random, bayes.*agent"):
        propose(Sweep("custom", {"x": Constant(1)}, name="mine"), [])


# Random draws


def test_a_draw_follows_from_its_index_alone():
    sweep = Sweep("random", EVERY_FORM)
    alone = propose(sweep, [TrialResult({}, "failed")] * 5)
    assert run(sweep, 6, lambda _: 1.0)[5].parameters == alone
    assert propose(sweep, [TrialResult({}, "failed")] * 6) != alone


def test_a_raised_cap_another_name_or_metric_keep_the_draws_and_another_range_does_not():
    sweep = Sweep("random", {"x": Numeric("uniform", 0.0, 1.0)}, run_cap=5)
    same = replace(sweep, run_cap=50, name="again", project="p", metric=LOSS, program="x.py")
    assert propose(sweep, []) == propose(same, [])
    wider = replace(sweep, parameters={"x": Numeric("uniform", 0.0, 1.0 + 1e-9)})
    assert abs(propose(sweep, [])["x"] - propose(wider, [])["x"]) > 1e-6


def flat_types(value):
    if isinstance(value, dict):
        return set().union(*(flat_types(inner) for inner in value.values()))
    return {type(value)}


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_proposals_are_plain_python_values(method):
    sweep = Sweep(method, EVERY_FORM, LOSS)
    tried = run(sweep, NUM_RANDOM + 5, lambda trial: trial["uniform"])
    for trial in tried:
        assert flat_types(dict(trial.parameters)) <= {int, float, str, bool, type(None), tuple}
        assert list(trial.parameters) == sorted(EVERY_FORM)
        assert trial.parameters["optim"]["name"] == "adamw"
        assert trial.parameters["one"] == 7
        assert trial.parameters["weighted"] != "never"
        assert type(trial.parameters["q_normal"]) is type(trial.parameters["q_log_uniform"]) is int
        assert type(trial.parameters["q_log_normal"]) is float


@pytest.mark.parametrize("name", NUMBERS)
def test_a_quantile_is_found_again_from_its_value(name):
    number = NUMBERS[name]
    quantiles = [index / 64 for index in range(65)]
    values = [value_of(number, quantile) for quantile in quantiles]
    assert values == sorted(values)
    assert all(math.isfinite(value) for value in values)
    for quantile, value in zip(quantiles, values, strict=True):
        again = quantile_of(number, value)
        assert 0 <= again <= 1
        assert value_of(number, again) == pytest.approx(value, rel=1e-9, abs=1e-12)
        if number.q is None and name != "int_uniform":
            assert again == pytest.approx(quantile, abs=1e-9)


@pytest.mark.parametrize("name", ["uniform", "log_uniform_values", "inv_log_uniform_values"])
def test_no_rounding_leads_beyond_a_bound(name):
    number = NUMBERS[name]
    for quantile, bound in ((0.0, number.min), (1.0, number.max)):
        assert value_of(number, quantile) == pytest.approx(bound)
        assert number.min <= value_of(number, quantile) <= number.max


def test_what_is_no_number_has_no_quantile():
    for value in (True, "1", None, math.nan, math.inf):
        assert quantile_of(NUMBERS["uniform"], value) is None
    assert quantile_of(EVERY_FORM["weighted"], "unheard of") is None


# Bayes

PLANE = {"x": Numeric("uniform", -1.0, 1.0), "y": Numeric("uniform", -1.0, 1.0)}


def bowl(trial):
    return (trial["x"] - 0.3) ** 2 + 2 * (trial["y"] + 0.4) ** 2


def test_bayes_beats_random_on_a_smooth_function_of_two_variables():
    differences = []
    for seed in range(15):
        parameters = PLANE | {"seed": Constant(seed)}
        lowest = [
            min(trial.value for trial in run(Sweep(method, parameters, LOSS), 40, bowl))
            for method in ("bayes", "random")
        ]
        differences.append(math.log(lowest[0]) - math.log(lowest[1]))
    mean = sum(differences) / len(differences)
    deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (len(differences) - 1))
    assert mean / (deviation / math.sqrt(len(differences))) < -2.6  # p < 0.01, one-sided
    assert mean < math.log(1 / 2)


def test_the_same_history_leads_to_the_same_proposal():
    sweep = Sweep("bayes", PLANE, LOSS)
    tried = run(sweep, NUM_RANDOM + 3, bowl)
    assert propose(sweep, tried) == propose(sweep, tuple(tried))
    assert propose(replace(sweep, name="other", run_cap=99), tried) == propose(sweep, tried)


def test_bayes_maximizes_when_asked_to():
    down, up = (Sweep("bayes", PLANE, Metric("m", goal)) for goal in ("minimize", "maximize"))
    tried = run(down, NUM_RANDOM + 5, bowl)
    mirrored = [done(trial.parameters, -trial.value) for trial in tried]
    assert propose(down, tried) == propose(up, mirrored)


def test_bayes_stays_within_bounds_and_among_the_values():
    sweep = Sweep("bayes", EVERY_FORM, LOSS)
    for loss in (lambda trial: trial["uniform"], lambda trial: -trial["int_uniform"]):
        for trial in run(sweep, NUM_RANDOM + 25, loss):
            assert -1 <= trial.parameters["uniform"] <= 2.5
            assert -3 <= trial.parameters["int_uniform"] <= 4
            assert 1e-5 <= trial.parameters["log_uniform_values"] <= 0.3
            assert 0 <= trial.parameters["beta"] <= 1
            assert trial.parameters["kind"] in EVERY_FORM["kind"].values
            assert (trial.parameters["q_uniform"] / 0.25).is_integer()


def test_the_first_trials_of_bayes_are_random_until_enough_losses_are_known():
    sweep = Sweep("bayes", PLANE, LOSS)
    unknown = [TrialResult(propose(sweep, [STARTED] * index), "running") for index in range(30)]
    other = [replace(trial, parameters={"x": 0.1, "y": 0.1}) for trial in unknown]
    assert propose(sweep, unknown) == propose(sweep, other)
    known = [done(trial.parameters, 0.1 * index) for index, trial in enumerate(unknown)]
    assert propose(sweep, known) != propose(sweep, unknown)


def side_by_side(sweep, tried, is_told):
    """Eight proposals, none of which has ended when the next is asked for."""
    places, running = [], []
    for _ in range(8):
        parameters = propose(sweep, [*tried, *running])
        places.append((parameters["x"], parameters["y"]))
        running.append(TrialResult(parameters if is_told else {}, "running"))
    return places


def gap(places):
    nearest = [min(math.dist(a, b) for b in places if b is not a) for a in places]
    return sum(nearest) / len(nearest)


def test_trials_that_run_side_by_side_keep_their_distance():
    for seed in range(3):
        sweep = Sweep("bayes", PLANE | {"seed": Constant(seed)}, LOSS)
        tried = run(sweep, 15, bowl)
        told, untold = (gap(side_by_side(sweep, tried, is_told)) for is_told in (True, False))
        assert told > 1.5 * untold


def test_a_region_where_trials_fail_is_left():
    sweep = Sweep("bayes", {"x": Numeric("uniform", 0.0, 1.0)}, LOSS)
    tried = []
    for _ in range(60):
        parameters = propose(sweep, tried)
        has_failed = parameters["x"] < 0.5
        ended = done(parameters, abs(parameters["x"] - 0.7))
        tried.append(TrialResult(parameters, "failed") if has_failed else ended)
    assert sum(trial.state == "failed" for trial in tried[30:]) < 8  # half, by chance


def test_a_trial_of_another_sweep_tells_a_model_nothing():
    sweep = Sweep("bayes", PLANE, LOSS)
    tried = run(sweep, 15, bowl)
    strangers = [done({"x": 0.0}), done({"x": "a", "y": 0.0}), done({"x": {"y": 1}, "y": 0.0})]
    moved = [done({"lr": 1.0}), done({}), done({"x": None, "y": 1.0})]
    assert propose(sweep, [*strangers, *tried]) == propose(sweep, [*moved, *tried])


def test_a_thousand_trials_are_modelled_within_a_second():
    sweep = Sweep("bayes", EVERY_FORM, LOSS)
    random = Sweep("random", EVERY_FORM)
    tried = [done(propose(random, [STARTED] * index), index % 17) for index in range(1000)]
    propose(sweep, tried[:20])  # what is imported late is imported now
    started = time.process_time()
    propose(sweep, tried)
    assert time.process_time() - started < 1


def test_searching_loads_no_torch_and_listing_no_optuna():
    program = (
        "import sys\n"
        "from audiocls.search import *\n"
        "assert not {'optuna', 'scipy', 'numpy'} & sys.modules.keys()\n"
        "sweep = Sweep('bayes', {'x': Numeric('beta', a=1.0, b=1.0)}, Metric('loss'))\n"
        "tried = [TrialResult({'x': i / 20}, 'finished', (i,), i) for i in range(20)]\n"
        "assert 0 <= propose(sweep, tried)['x'] <= 1\n"
        "assert 'optuna' in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# What trials are worth

X = {"x": 1}
STATES = [
    TrialResult(X, "finished", (3.0, 1.0, 2.0), 2.0),
    TrialResult(X, "failed", (4.0, 2.5, 5.0), None),
    TrialResult(X, "failed"),
    TrialResult(X, "finished", (math.nan,), None),
    TrialResult(X, "stopped", (3.5, 3.0), 3.0),
    TrialResult(X, "running", (9.0, 0.5, 0.75), 0.75),
    TrialResult(X, "running"),
]


@pytest.mark.parametrize(
    ("impute", "while_running", "losses"),
    [
        ("worst", "false", [1.0, 5.0, 5.0, 5.0, 3.0, None, None]),
        ("best", "false", [1.0, 2.5, 5.0, 5.0, 3.0, None, None]),
        ("latest", "false", [1.0, 5.0, 5.0, 5.0, 3.0, None, None]),
        ("worst", "worst", [1.0, 5.0, 5.0, 5.0, 3.0, 0.5, 5.0]),
        ("worst", "latest", [1.0, 5.0, 5.0, 5.0, 3.0, 0.5, 5.0]),
    ],
)
def test_losses_that_are_not_known_are_imputed(impute, while_running, losses):
    metric = Metric("m", impute=impute, impute_while_running=while_running)
    assert imputed_losses(metric, STATES) == losses


def test_nothing_is_imputed_where_nobody_knows_a_value():
    assert imputed_losses(
        LOSS, [TrialResult(X, "failed"), TrialResult(X, "finished", (math.inf,))]
    ) == [None, None]


def test_the_best_trial_is_the_first_of_the_best_summaries_of_those_that_ended_well():
    trials = [
        done(X, math.nan),
        done(X, 2.0),
        done(X, 1.0, "failed"),
        done(X, 0.5, "running"),
        done(X, 1.5, "stopped"),
        done(X, 1.5),
        TrialResult(X, "finished", (0.1,)),
    ]
    assert best(Sweep("random", X, LOSS), trials) == 4
    assert best(Sweep("random", X, Metric("m", "maximize")), trials) == 1
    assert best(Sweep("random", X, LOSS), trials[:1]) is None
    assert best(Sweep("random", X), trials) is None


# Hyperband

BANDED = Sweep("random", X, LOSS, Hyperband(min_iter=2, eta=2.0))


def at_work(*history):
    return TrialResult(X, "running", history)


def test_bands_are_counted_up_from_a_minimum_or_down_from_a_maximum():
    assert bands(Hyperband(min_iter=3))[:3] == (3, 9, 27)
    assert bands(Hyperband(max_iter=27, s=2)) == (3, 9)
    assert bands(Hyperband(max_iter=5, s=4, eta=2.0)) == (1, 2)
    assert bands(Hyperband(min_iter=2, max_iter=27, s=2)) == (3, 9)
    assert list(islice(bands(Hyperband(min_iter=1, eta=1.5)), 4)) == [1, 1, 2, 3]
    assert len(bands(Hyperband(min_iter=1, eta=1e30))) == 11


def test_a_trial_alone_and_one_that_never_logged_the_metric_run_on():
    assert to_stop(BANDED, [at_work(9.0, 9.0)]) == []
    assert to_stop(BANDED, [at_work(), at_work(math.nan, math.nan), at_work(1.0)]) == []


def test_the_poorer_half_stops_at_a_band_and_not_before():
    trials = [at_work(1.0, 1.0), at_work(2.0, 2.0), at_work(3.0, 3.0), at_work(9.0)]
    assert to_stop(BANDED, trials) == [2]
    mirrored = [at_work(*(-value for value in trial.history)) for trial in trials]
    assert to_stop(replace(BANDED, metric=Metric("m", "maximize")), mirrored) == [2]


def test_only_running_trials_stop_and_all_count():
    trials = [
        done(X),
        *(TrialResult(X, "finished", (1.0, 1.0)) for _ in range(2)),
        at_work(2.0, 2.0),
    ]
    assert to_stop(BANDED, trials) == [3]
    assert to_stop(BANDED, [replace(trial, state="finished") for trial in trials]) == []


def test_a_rule_that_is_not_strict_looks_at_the_best_value_so_far():
    trials = [at_work(5.0, 1.0), at_work(0.5, 9.0), at_work(7.0, 9.0)]
    assert to_stop(BANDED, trials) == []
    trials = [at_work(5.0, 1.0), at_work(5.0, 2.0), at_work(0.5, 9.0)]
    assert to_stop(BANDED, trials) == [2]
    lenient = replace(BANDED, early_terminate=Hyperband(min_iter=2, eta=2.0, is_strict=False))
    assert to_stop(lenient, trials) == []


def test_nothing_stops_without_a_rule():
    assert to_stop(replace(BANDED, early_terminate=None), [at_work(1.0, 1.0)] * 9) == []
