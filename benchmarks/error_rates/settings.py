"""The simulated settings that a rule has to withstand: equal arms, drawn in many ways."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import accuracies
import learners
import numpy as np
from accuracies import Sources, tail
from differences import Differences, differences
from fitting import World
from numpy.typing import NDArray

Array = NDArray[np.float64]
Draw = Callable[[int, int, int, int, int], Differences]
"""From numbers of studies, arms, seeds and folds, and a random seed, to the studies."""

ONE_FOLD = [(8, 1), (20, 1)]
PART = [(7, 2), (3, 3), (8, 3)]
ALL_FOLDS = [(1, 5), (3, 5), (10, 5), (1, 10), (3, 10)]
LAYOUTS = [*ONE_FOLD, *PART, *ALL_FOLDS]
"""Seeds and folds; fewer than five folds are a part of five."""


@dataclass(frozen=True)
class Setting:
    """A way to draw studies whose arms are all alike."""

    name: str
    draw: Draw
    is_supported: bool = True
    holds_on_one_fold: bool = True
    """Where luck is with a fold, one fold can say nothing beyond it."""


def mechanistic(world: World) -> Draw:
    def draw(num: int, num_arms: int, num_seeds: int, num_folds: int, seed: int) -> Differences:
        whole = _of_ten_folds(world) if num_folds > 5 else world
        correct = learners.correctness(whole, num, num_arms, num_seeds, num_folds, seed)
        return differences(correct, whole.ratio)

    return draw


def by_sources(sources: Sources) -> Draw:
    def draw(num: int, num_arms: int, num_seeds: int, num_folds: int, seed: int) -> Differences:
        ratio = 1 / 8 if num_folds > 5 else 1 / 3
        correct = accuracies.correctness(sources, num, num_arms, num_seeds, num_folds, seed)
        return differences(correct, ratio)

    return draw


def with_shifts(
    draw: Draw, sd: float, name: str = "normal", last: float = 1.0, luck: float = 0.0
) -> Draw:
    """Studies whose trials are shifted as wholes, by an sd in units of the metric and 0 on average.

    Those of the last arm are `last` times as large: arms with unlike noise, and no effect. `luck`
    is the share of their variance that all seeds of a fold have in common.
    """

    def drawn(num: int, num_arms: int, num_seeds: int, num_folds: int, seed: int) -> Differences:
        found = draw(num, num_arms, num_seeds, num_folds, seed)
        rng = np.random.default_rng([seed, 1])
        shape = (num, num_arms + 1, num_seeds, num_folds)
        shifts = sd * np.sqrt(1 - luck) * tail(rng, name, shape)
        shifts = shifts + sd * np.sqrt(luck) * tail(rng, name, (num, num_arms + 1, 1, num_folds))
        shifts[:, -1] *= last
        return replace(found, trials=found.trials + shifts[:, 1:] - shifts[:, :1])

    return drawn


def _of_ten_folds(world: World) -> World:
    """As many recordings as ten folds of all classes can have, at most."""
    each = max(1, round(world.num_recordings / (10 * world.num_classes)))
    return replace(world, num_folds=10, num_recordings=10 * world.num_classes * each)


LEARNERS = [
    Setting("little seed noise", mechanistic(learners.QUIET)),
    Setting("some seed noise", mechanistic(World())),
    Setting("much seed noise", mechanistic(learners.NOISY)),
    Setting("random features", mechanistic(learners.FEATURES)),
    Setting("chosen inputs", mechanistic(learners.CHOSEN)),
    Setting("collapses", mechanistic(learners.COLLAPSING)),
    Setting("40 recordings of 5 clips", mechanistic(learners.SCARCE)),
]
TRAININGS = [
    Setting("20 clips a fold", by_sources(Sources(clips_each=1))),
    Setting("80 clips a fold", by_sources(Sources(clips_each=1, recordings=80))),
    Setting("shifts of trainings", by_sources(Sources(trial=0.5))),
    Setting("t3 tails", by_sources(Sources(trial=0.6, tail="t3"))),
    Setting("exponential tails", by_sources(Sources(trial=0.6, tail="exponential"))),
    Setting("collapses of 5 %", by_sources(Sources(trial=0.4, tail="collapse"))),
]
ALIKE = by_sources(Sources(trial=0.0))
UNLIKE = [
    Setting("one arm 3 times as noisy", with_shifts(ALIKE, 0.03, last=3.0)),
    Setting("one arm a third as noisy", with_shifts(ALIKE, 0.09, last=1 / 3)),
]
UNLIKE_AND_SKEWED = [
    Setting("3 times as noisy, skewed", with_shifts(ALIKE, 0.03, "exponential", 3.0)),
    Setting("a third as noisy, skewed", with_shifts(ALIKE, 0.09, "exponential", 1 / 3)),
]
SHARES = [
    Setting(f"arm × fold {luck:g}", with_shifts(ALIKE, 0.06, luck=luck), True, False)
    for luck in (0.25, 0.5, 0.75, 1.0)
]
FOLD_LUCK = [
    *(
        Setting(f"luck with folds, {sd:g}", by_sources(Sources(arm_by_fold=sd)), True, False)
        for sd in (0.1, 0.2, 0.4, 0.8)
    ),
    Setting(
        "luck with folds, one arm",
        by_sources(Sources(arm_by_fold=0.05, last_arm_by_fold=0.6)),
        True,
        False,
    ),
]
UNSUPPORTED = [Setting("luck with the whole data set", by_sources(Sources(arm=0.15)), False)]
