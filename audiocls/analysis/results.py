"""The values of a report: a result for each arm, the effects of factors, and what holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audiocls.analysis.differences import Difference
from audiocls.analysis.family import Estimate
from audiocls.analysis.scope import Scope
from audiocls.formatting import format_percent, scale_of
from audiocls.store.record import Cell

Failed = tuple[Cell, str, str]
"""A cell, the cause of its failure, and the message."""


@dataclass(frozen=True, kw_only=True)
class ArmResult(Estimate):
    """An arm − its reference, and what the arm reached and cost.

    A `not_comparable` arm has no difference: a number there would be read as one. The baseline's
    `num_pairs` are its own finished trials.
    """

    arm: str
    changes: dict[str, Any]
    """Dotted key → value."""
    mean: float | None = None
    """Of the arm's own trials, in units of the metric; over the pairs where it is compared."""
    mean_ci_low: float | None = None
    mean_ci_high: float | None = None
    num_params: int | None = None
    macs: int | None = None
    """Per clip, forward."""
    seconds: float | None = None
    """Wall time of a trial, mean."""
    look: int = 0
    """The look at a growing study that these numbers are of; 0 where its size was fixed."""
    is_futile: bool = False
    """Whether a growing study gave the arm up: the wanted effect is out of sight."""


@dataclass(frozen=True)
class SimpleEffect:
    """One side of an interaction: the effect of a change at one level of the other factor."""

    name: str
    delta: float
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, kw_only=True)
class Effect(Estimate):
    """A main effect or an interaction of factors; its p (Holm) is over the study's effects."""

    name: str
    """`dropout=0.1`, or `dropout=0.1 × sam=on`."""
    aliases: tuple[str, ...] = ()
    """The shortest effects of the factors that this design cannot tell from it."""
    parts: tuple[SimpleEffect, ...] = ()
    """What an interaction is the difference of: the second − the first."""


@dataclass(frozen=True)
class TwoWay:
    """The metric's mean at each pair of two factors' levels, over the blocks that all arms have."""

    first: str
    second: str
    first_levels: tuple[str, ...]
    second_levels: tuple[str, ...]
    means: tuple[tuple[float | None, ...], ...]
    """A row for each level of the first; `None` where no arm has both levels."""


@dataclass(frozen=True)
class Effects:
    """Main effects of a study's factors, each averaged over the others, and their interactions.

    Empty where every effect is a comparison of two arms, which has its verdict already.
    """

    estimates: tuple[Effect, ...] = ()
    tables: tuple[TwoWay, ...] = ()
    not_estimated: tuple[str, ...] = ()
    """Effects that these arms cannot show, and why."""
    compared: tuple[str, ...] = ()
    """Effects that are comparisons of two arms, and so not among the estimates."""


@dataclass(frozen=True)
class Comparison:
    """All that a study's records say of its arms."""

    study: str
    question: str
    metric: str
    goal: str
    baseline: str
    alpha: float
    correction: str
    margin: float
    method: str
    """Which errors a claim had to exceed, in words."""
    scope: Scope
    num_folds: int
    num_all_folds: int | None
    """Of the data set; `None` if unknown."""
    command: str
    num_expected: int
    missing: tuple[Cell, ...]
    arms: tuple[ArmResult, ...]
    """The baseline first."""
    notes: tuple[str, ...] = ()
    secondary: tuple["Comparison", ...] = ()
    """The same arms by the study's other metrics, which decide nothing."""
    effects: Effects = field(default_factory=Effects)
    """Of the primary metric."""
    ratio: float = 0.0
    """n_test/n_train of the trials."""
    looks: tuple[int, ...] = ()
    """Blocks at each look so far, where the study grows until it is decided."""
    max_pairs: int = 0
    """Of each comparison, where the study grows."""
    over_budget: Mapping[str, str] = field(default_factory=dict)
    """Arm that was not trained → by how much it exceeds its budget, in words."""

    @property
    def has_references(self) -> bool:
        """Whether some arm is compared with another one than the baseline."""
        return any(result.against != self.baseline for result in self.compared)

    @property
    def other_side(self) -> str:
        """What is subtracted from an arm, in words that hold for every arm."""
        return "what it is compared with" if self.has_references else self.baseline

    @property
    def interval_level(self) -> str:
        """Of the intervals of means and differences."""
        return format_percent(1 - self.alpha)

    @property
    def compared(self) -> tuple[ArmResult, ...]:
        """The family: every arm but the baseline."""
        return self.arms[1:]

    @property
    def has_recordings(self) -> bool:
        """Whether every arm that was judged was judged over recordings as well."""
        rules = {result.rule for result in self.compared} - {None}
        return rules == {"two_units"}

    def is_within_margin(self, estimate: Estimate) -> bool:
        """Whether an effect was shown that is smaller than what counts as one."""
        return estimate.is_claim and abs(estimate.delta or 0.0) < self.margin

    def worst_pair(self, estimate: Estimate) -> Difference | None:
        """Return the difference that is worst by the goal; an interaction has no worse side."""
        if estimate.kind == "interaction" or not estimate.differences:
            return None
        sign = 1.0 if self.goal == "maximize" else -1.0
        return min(estimate.differences, key=lambda each: sign * each[2])

    @property
    def scale(self) -> int:
        """100 where the metric is written in points, else 1."""
        return scale_of(self.goal, [arm.mean for arm in self.arms if arm.mean is not None])
