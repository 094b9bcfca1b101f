"""The values of an answer: one result an arm, and the comparison that holds them."""

from dataclasses import dataclass, field
from typing import Any, Literal

from audiocls.analysis.effects.result import Effects
from audiocls.formatting import format_percent, scale_of
from audiocls.stats import max_p
from audiocls.store.record import Cell

Verdict = Literal[
    "baseline",
    "better",
    "worse",
    "equivalent",
    "no_evidence",
    "too_few_pairs",
    "not_comparable",
]


Difference = tuple[int, int, float]
"""A seed, a fold and what differs there, in units of the metric."""


@dataclass(frozen=True)
class ArmResult:
    """One line of the answer, in units of the metric; `None` where there is nothing to say.

    A `not_comparable` arm has no difference: a number there would be read as one.
    """

    arm: str
    changes: dict[str, Any]
    num_pairs: int
    """Blocks shared with the arm it is compared with; the baseline's own finished trials."""
    mean: float | None
    mean_ci_low: float | None
    mean_ci_high: float | None
    delta: float | None = None
    """Mean difference over the pairs."""
    ci_low: float | None = None
    ci_high: float | None = None
    p_corrected_t: float | None = None
    p_sign_flip: float | None = None
    p_holm: float | None = None
    verdict: Verdict = "baseline"
    reason: str = ""
    num_params: int | None = None
    macs: int | None = None
    """Per clip, forward."""
    seconds: float | None = None
    """Wall time of a trial, mean."""
    step: float = 0.0
    """The smallest change that the metric can show, one test clip; 0 where that is unknown."""
    against: str = ""
    """The arm it is compared with; the baseline has none."""
    differences: tuple[Difference, ...] = ()
    """This arm − the one it is compared with."""
    look: int = 0
    """The look at a growing study that these numbers are of; 0 where its size was fixed."""
    alpha: float | None = None
    """The look's level, also of the interval; the study's own where its size was fixed."""

    @property
    def p(self) -> float:
        """A claim needs both tests."""
        return max_p(self.p_corrected_t, self.p_sign_flip)


@dataclass(frozen=True)
class Comparison:
    """A study's answer."""

    study: str
    question: str
    metric: str
    goal: str
    baseline: str
    alpha: float
    correction: str
    margin: float
    method: str
    """Which variance was used, in words."""
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
    """n_test/n_train of the corrected variance; 0 where there is one fold."""
    looks: tuple[int, ...] = ()
    """Blocks at each look so far, where the study grows until it is decided."""
    max_pairs: int = 0
    """Of each comparison, where the study grows."""

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
        """Of the intervals of means and differences; each look of a growing study has its own."""
        return "look's" if self.looks else format_percent(1 - self.alpha)

    @property
    def compared(self) -> tuple[ArmResult, ...]:
        """The family: every arm but the baseline."""
        return self.arms[1:]

    @property
    def scale(self) -> int:
        """100 where the metric is told in points, else 1."""
        return scale_of(self.goal, [arm.mean for arm in self.arms if arm.mean is not None])
