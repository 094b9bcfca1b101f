"""A family of contrasts: what is known of each, and the words for what the rule can find.

A contrast is a sum of arms whose weights add up to zero: an arm − its reference, a main effect, an
interaction. So it gives one difference on each block, whatever it asks. What a word is called
depends on the kind of contrast, and is data (`VOCABULARIES`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from audiocls.analysis.differences import Difference
from audiocls.stats import VarianceComponents

Verdict = Literal[
    "baseline",
    "better",
    "worse",
    "equivalent",
    "no_evidence",
    "interacts",
    "additive",
    "too_few_pairs",
    "not_comparable",
    "not_due",
]
Kind = Literal["comparison", "main", "interaction"]
CLAIMS: tuple[Verdict, ...] = ("better", "worse", "interacts")
RuleName = Literal["two_units", "crossed"]
"""Which errors were known: of recordings and trainings, or of folds and seeds alone."""

Weights = Mapping[str, float]
"""Arm → its share in the difference; the shares sum to zero, arms without one are left out."""


@dataclass(frozen=True)
class Vocabulary:
    """The words for what the rule can find."""

    gain: Verdict
    loss: Verdict
    equivalent: Verdict
    """Shown to lie within ± margin."""
    unit: str = "block"
    """What each difference comes from."""


COMPARISON = Vocabulary("better", "worse", "equivalent", unit="pair")
VOCABULARIES: dict[Kind, Vocabulary] = {
    "comparison": COMPARISON,
    "main": replace(COMPARISON, unit="block"),
    "interaction": Vocabulary("interacts", "interacts", "additive"),
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is known of a contrast, in units of the metric; `None` where there is nothing to say.

    The part that every contrast has; `ArmResult` and `Effect` add what they are contrasts of.
    """

    kind: Kind
    against: str = ""
    """What is subtracted: an arm or a level. Empty for the baseline and for interactions."""
    num_pairs: int = 0
    """Blocks on which every arm of the contrast has finished."""
    delta: float | None = None
    """Mean difference: of each fold over its seeds, then over folds."""
    ci_low: float | None = None
    ci_high: float | None = None
    """Interval at level 1 − α of this contrast alone."""
    simultaneous_low: float | None = None
    simultaneous_high: float | None = None
    """At level 1 − α for the whole family at once (Bonferroni)."""
    p_units: float | None = None
    """Over trainings and recordings; `None` where folds, or seeds on one fold, are all units."""
    p_replicates: float | None = None
    """Over the largest units alone: folds, or seeds where there is one fold."""
    p_holm: float | None = None
    """The larger of the two, corrected over the family."""
    p_equivalence: float | None = None
    """That the effect is `margin` or more, corrected over the family."""
    verdict: Verdict = "no_evidence"
    reason: str = ""
    step: float = 0.0
    """The smallest change that the metric can show, one test clip; 0 where that is unknown."""
    differences: tuple[Difference, ...] = ()
    components: VarianceComponents | None = field(default=None, compare=False)
    """Of the variance of `delta`; it has recordings where predictions are known."""
    without_recordings: str = ""
    """Why recordings could not be taken into account, where they could not."""

    @property
    def p(self) -> float | None:
        """The p before correction: a claim needs every test."""
        known = [p for p in (self.p_units, self.p_replicates) if p is not None]
        return max(known, default=None)

    @property
    def rule(self) -> RuleName | None:
        """By which errors it was judged; `None` where it was not."""
        if self.p is None:
            return None
        return "crossed" if self.p_units is None else "two_units"

    @property
    def is_claim(self) -> bool:
        """Whether an effect was shown, in either direction."""
        return self.verdict in CLAIMS

    @property
    def is_leaning(self) -> bool:
        """Whether its own interval excludes 0 and yet nothing was shown, after the correction."""
        if self.verdict != "no_evidence" or self.ci_low is None or self.ci_high is None:
            return False
        return self.ci_low > 0 or self.ci_high < 0


AnyEstimate = TypeVar("AnyEstimate", bound=Estimate)
