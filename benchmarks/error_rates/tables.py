"""The tables of the decision record, as Markdown."""

import learners
import numpy as np
from accuracies import Sources
from differences import Differences
from fitting import World
from looks import WATCHES, equivalence
from numpy.typing import NDArray
from rules import RULES, Rule, claims
from settings import (
    ALL_FOLDS,
    FOLD_LUCK,
    LEARNERS,
    ONE_FOLD,
    PART,
    SHARES,
    TRAININGS,
    UNLIKE,
    UNSUPPORTED,
    Setting,
    by_sources,
    mechanistic,
)

from audiocls.stats import half_width, uncertainties

Array = NDArray[np.float64]

EQUAL = [*LEARNERS, *TRAININGS, *UNLIKE]
LUCKY = [*FOLD_LUCK, *SHARES]
GROUPS = {
    "one fold": (EQUAL, ONE_FOLD),
    "part of 5 folds": (EQUAL, PART),
    "all folds": (EQUAL, ALL_FOLDS),
    "luck with folds": (LUCKY, [*PART, *ALL_FOLDS]),
    "three arms": ([*EQUAL, *LUCKY], [(1, 5), (3, 5)]),
    "ten arms": ([*EQUAL, *LUCKY], [(1, 5), (3, 5)]),
    "luck with all data": (UNSUPPORTED, [(8, 1), (3, 5)]),
}
NUM_ARMS = {"three arms": 3, "ten arms": 10}
SEEDS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)
WANTED = {
    "little seed noise": (mechanistic(learners.QUIET), 0.13),
    "some seed noise": (mechanistic(World()), 0.13),
    "much seed noise": (mechanistic(learners.NOISY), 0.16),
    "random features": (mechanistic(learners.FEATURES), 0.17),
    "400 recordings": (mechanistic(learners.LARGE), 0.09),
}


def false_claims_table(num: int) -> str:
    """Return each rule's largest share of studies with a false claim, by group of settings."""
    worst = {name: _worst(group, num, NUM_ARMS.get(name, 1)) for name, group in GROUPS.items()}
    rows = [[name, *(f"{worst[group][name]:.1f}" for group in GROUPS)] for name in RULES]
    return _markdown("Largest share of studies with a false claim, %", ["rule", *GROUPS], rows)


def _worst(
    group: tuple[list[Setting], list[tuple[int, int]]], num: int, num_arms: int
) -> dict[str, float]:
    worst = dict.fromkeys(RULES, 0.0)
    num = num if num_arms == 1 else max(50, num // 2)
    for setting in group[0]:
        for num_seeds, num_folds in group[1]:
            found = setting.draw(num, num_arms, num_seeds, num_folds, 0)
            for name, rule in RULES.items():
                worst[name] = max(worst[name], 100 * float(claims(rule, found).mean()))
    return worst


def trials_table(num: int) -> str:
    """Return the trials of each arm with which an effect is found in 80 % of studies."""
    rows = []
    drawn = {name: draw(min(num, 300), 1, max(SEEDS), 5, 7) for name, (draw, _) in WANTED.items()}
    for rule_name, rule in RULES.items():
        cells = []
        for name, (_, effect) in WANTED.items():
            needed = next((s for s in SEEDS if _power(rule, drawn[name], s, effect) >= 0.8), None)
            cells.append(f"{5 * needed}" if needed else "over 100")
        rows.append([rule_name, *cells])
    heads = [f"{name}, {100 * effect:.0f} points" for name, (_, effect) in WANTED.items()]
    return _markdown("Trials of an arm (of five folds) for 80 % power", ["rule", *heads], rows)


def _power(rule: Rule, found: Differences, num_seeds: int, effect: float) -> float:
    return float(claims(rule, found.first(num_seeds).shifted(effect)).mean())


def points_table(num: int) -> str:
    """Return the effects, in points, that are found in 80 % of studies of some layouts."""
    names = ("some seed noise", "much seed noise", "400 recordings")
    rows = []
    drawn = {name: WANTED[name][0](min(num, 300), 1, 10, 5, 7) for name in names}
    layouts = [(name, num_seeds) for name in names for num_seeds in (1, 3, 10)]
    for rule_name, rule in RULES.items():
        found = [_detectable(rule, drawn[name], num_seeds) for name, num_seeds in layouts]
        rows.append([rule_name, *("never" if x is None else f"{100 * x:.1f}" for x in found)])
    heads = [f"{name}, {num_seeds} × 5" for name, num_seeds in layouts]
    return _markdown("Effect found in 80 % of studies, points", ["rule", *heads], rows)


def _detectable(rule: Rule, found: Differences, num_seeds: int) -> float | None:
    """By bisection; `None` where not even an effect of 50 points is found."""
    low, high = 0.0, 0.5
    if _power(rule, found, num_seeds, high) < 0.8:
        return None
    for _ in range(9):
        middle = (low + high) / 2
        is_enough = _power(rule, found, num_seeds, middle) >= 0.8
        low, high = (low, middle) if is_enough else (middle, high)
    return high


def looks_table(num: int) -> str:
    """Return claims and seeds of studies that grow to 20 seeds, with and without an effect."""
    settings = {
        "some seed noise, 5 folds": (mechanistic(World()), 5),
        "much seed noise, 5 folds": (mechanistic(learners.NOISY), 5),
        "much seed noise, 1 fold": (mechanistic(learners.NOISY), 1),
        "shifts of trainings, 5 folds": (by_sources(Sources(trial=0.5)), 5),
        "exponential tails, 5 folds": (by_sources(Sources(trial=0.6, tail="exponential")), 5),
    }
    rows = []
    for name, (draw, num_folds) in settings.items():
        found = draw(min(num, 400), 1, 20, num_folds, 3)
        for effect in (0.0, 0.05, 0.1):
            ends = [str(watch(found.shifted(effect))) for watch in WATCHES.values()]
            rows.append([name, f"{100 * effect:.0f}", *ends])
    heads = ["study", "effect, points", *WATCHES]
    return _markdown("Claims, and seeds until the end, of at most 20", heads, rows)


def pooling_table(num: int) -> str:
    """Return what arms that share their estimate gain where no predictions are kept."""
    rows = []
    for share in (0.0, 0.1, 0.2, 0.4):
        draw = by_sources(Sources(arm_by_fold=share, trial=0.3))
        found = draw(num, 3, 3, 5, 2).without_predictions()
        each = [found.of(np.ones(num, bool), np.arange(3) == arm) for arm in range(3)]
        alone, shared = np.concatenate([_half(arm) for arm in each], axis=1), _half(found)
        mean = found.components.mean
        wrong = [100 * (np.abs(mean) > half).any(axis=1).mean() for half in (alone, shared)]
        seen = [100 * np.quantile(half - mean, 0.8) for half in (alone, shared)]
        rows.append([f"{share:g}", *(f"{each:.1f}" for each in (*wrong, *seen))])
    heads = ["luck with folds", "false, alone", "false, shared", "seen, alone", "seen, shared"]
    return _markdown(
        "No predictions, 3 arms, 3 seeds × 5 folds: false % and points seen", heads, rows
    )


def _half(found: Differences) -> Array:
    return half_width(uncertainties(found.components, found.ratio), 0.05 / 3)


def equivalence_table(num: int) -> str:
    """Return how often arms that differ by the margin are called equivalent."""
    rows = []
    for name in ("some seed noise", "much seed noise", "400 recordings"):
        for num_arms in (1, 3, 10):
            margin = 0.15
            found = WANTED[name][0](min(num, 400), num_arms, 3, 5, 5)
            level = 0.05 / num_arms
            at_margin, equal = (
                (equivalence(found.shifted(effect), margin) <= level) for effect in (margin, 0.0)
            )
            cells = [f"{100 * each.any(axis=1).mean():.1f}" for each in (at_margin, equal)]
            rows.append([name, str(num_arms), *cells])
    heads = ["study, 3 × 5", "arms", "any at the margin", "any, all equal"]
    return _markdown("Equivalence within ±15 points, % of studies", heads, rows)


def _markdown(title: str, heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join([f"{title}\n", *(f"| {' | '.join(line)} |" for line in lines), ""])
