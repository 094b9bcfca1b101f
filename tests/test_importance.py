"""Which parameters decide: shares by Optuna, correlation by ranks."""

import numpy as np
import pytest

from audiocls.search import (
    Categorical,
    Constant,
    Metric,
    Nested,
    Numeric,
    Sweep,
    TrialResult,
    importance,
)
from audiocls.stats import rank_correlation

UNIT = Numeric("uniform", min=0.0, max=1.0)
SWEEP = Sweep(
    "random",
    {
        "optim": Nested({"lr": Numeric("log_uniform_values", min=1e-4, max=1e-1)}),
        "depth": UNIT,
        "act": Categorical(("relu", "gelu", "silu")),
        "epochs": Constant(3),
    },
    Metric("val/loss"),
)


def tried(num, loss, seed=0, **options):
    rng = np.random.default_rng(seed)
    rows = [
        {
            "optim": {"lr": float(10 ** rng.uniform(-4, -1))},
            "depth": float(rng.uniform()),
            "act": str(rng.choice(["relu", "gelu", "silu"])),
            "epochs": 3,
        }
        for _ in range(num)
    ]
    return [TrialResult(row, "finished", value=float(loss(row)), **options) for row in rows]


def by_lr(row):
    return (np.log10(row["optim"]["lr"]) + 2.5) ** 2


def by_kind(row):
    return {"relu": 0.0, "gelu": 1.0, "silu": 2.0}[row["act"]]


@pytest.mark.parametrize(("loss", "key"), [(by_lr, "optim.lr"), (by_kind, "act")])
def test_a_parameter_that_decides_everything_has_nearly_all_of_it(loss, key):
    found = importance(SWEEP, tried(150, loss))
    assert found.shares[key] > 0.85
    assert sum(found.shares.values()) == pytest.approx(1)
    assert set(found.shares) == {"optim.lr", "depth", "act"}
    assert found.num_trials == 150


def test_the_goal_turns_what_is_best():
    """Half the losses are the same whatever lr is, so that only the other end tells of lr."""

    def one_sided(row):
        return max(0.0, np.log10(row["optim"]["lr"]) + 2.5) + 0.001 * row["depth"]

    trials = tried(150, one_sided)
    turned = Sweep("random", SWEEP.parameters, Metric("val/loss", "maximize"))
    assert importance(turned, trials).shares["optim.lr"] > 0.9
    assert importance(turned, trials).shares != importance(SWEEP, trials).shares


@pytest.mark.parametrize(("num", "has_any"), [(0, False), (7, False), (8, True)])
def test_too_few_trials_have_a_reason_and_no_number(num, has_any):
    found = importance(SWEEP, tried(num, by_lr))
    assert bool(found.shares) == has_any
    assert found.reason == ("" if has_any else f"8 trials with a value are needed, there are {num}")


def test_what_has_no_value_or_is_of_another_sweep_does_not_count():
    trials = tried(20, by_lr)
    more = [
        TrialResult({"optim": {"lr": 0.001}, "depth": 0.5, "act": "relu"}, "failed"),
        TrialResult({"optim": {"lr": 0.001}, "depth": 0.5, "act": "relu"}, "running", value=0.1),
        TrialResult({"optim": {"lr": 0.001}, "depth": 0.5, "act": "tanh"}, "finished", value=0.1),
        TrialResult({"x": 1}, "finished", value=0.1),
    ]
    assert importance(SWEEP, trials + more) == importance(SWEEP, trials)


def test_where_nothing_differs_nothing_decides():
    found = importance(SWEEP, tried(30, lambda row: 0.5))
    assert (found.shares, found.reason) == ({}, "too many trials are as bad as the worst")


def test_a_sweep_without_a_metric_has_no_importance():
    nameless = Sweep("random", SWEEP.parameters)
    assert importance(nameless, tried(30, by_lr)).reason == "the sweep names no metric"


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_is_spearmans_with_ties(seed):
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    xs, ys = rng.integers(0, 6, 40), rng.normal(size=40)
    assert rank_correlation(list(xs), list(ys)) == pytest.approx(spearmanr(xs, ys).statistic)


def test_rank_correlation_of_what_does_not_vary_is_unknown():
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2, 3], [10.0, 100.0, 1e9]) == pytest.approx(1)
