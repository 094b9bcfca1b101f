"""A family of contrasts: measured on the same blocks, tested together, each put into one word.

A contrast is a sum of arms whose weights add up to zero: an arm − its reference, a main effect, an
interaction. So it gives one difference on each block, whatever it asks. `Rule.measured` turns the
differences into numbers, `Rule.decided` corrects the p values over the whole family and finds the
word; what a word is called depends on the kind of contrast, and is data (`VOCABULARIES`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from audiocls import stats
from audiocls.formatting import plural
from audiocls.store.record import Study

Verdict = Literal[
    "baseline",
    "better",
    "worse",
    "equivalent",
    "no_evidence",
    "interacts",
    "additive",
    "undecided",
    "too_few_pairs",
    "not_comparable",
]
Kind = Literal["comparison", "main", "interaction"]

Weights = Mapping[str, float]
"""Arm → its share in the difference; the shares sum to zero, arms without one are left out."""
Difference = tuple[int, int, float]
"""A seed, a fold and the contrast's value there, in units of the metric."""


@dataclass(frozen=True)
class Vocabulary:
    """The words for what the rule can find."""

    gain: Verdict
    loss: Verdict
    equivalent: Verdict
    """Shown to lie within ± margin."""
    undecided: Verdict
    """Enough blocks, but neither a difference nor its absence was shown."""
    unit: str = "block"
    """What each difference comes from."""


COMPARISON = Vocabulary("better", "worse", "equivalent", "no_evidence", unit="pair")
VOCABULARIES: dict[Kind, Vocabulary] = {
    "comparison": COMPARISON,
    "main": replace(COMPARISON, unit="block"),
    "interaction": Vocabulary("interacts", "interacts", "additive", "undecided"),
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
    """Mean difference over these blocks."""
    ci_low: float | None = None
    ci_high: float | None = None
    p_corrected_t: float | None = None
    p_sign_flip: float | None = None
    p_holm: float | None = None
    """The larger of the two, corrected over the family."""
    verdict: Verdict = "no_evidence"
    reason: str = ""
    step: float = 0.0
    """The smallest change that the metric can show, one test clip; 0 where that is unknown."""
    differences: tuple[Difference, ...] = ()

    @property
    def p(self) -> float:
        """The p with which the contrast enters its family: a claim needs both tests."""
        return stats.max_p(self.p_corrected_t, self.p_sign_flip)


AnyEstimate = TypeVar("AnyEstimate", bound=Estimate)


@dataclass(frozen=True)
class Rule:
    """How a family is decided; amounts are in units of the metric."""

    alpha: float
    """In (0, 1): level of the family, of each interval and of each test of equivalence."""
    margin: float
    """Half-width of the zone of equivalence, above 0."""
    goal: str
    """`maximize` or `minimize`."""
    ratio: float
    """n_test/n_train of the corrected variance; 0 where blocks share no training clips."""
    num_resamples: int
    """Random sign patterns of a permutation test that cannot be exact."""

    @classmethod
    def of(
        cls, study: Study, ratio: float, num_contrasts: int, alpha: float | None = None
    ) -> "Rule":
        """Return the study's rule for so many contrasts at most; `alpha` replaces the study's."""
        alpha = study.alpha if alpha is None else alpha
        num_resamples = stats.resamples_for(alpha / max(1, num_contrasts))
        return cls(alpha, study.margin, study.goal, ratio, num_resamples)

    def measured(self, blank: AnyEstimate, differences: Sequence[Difference]) -> AnyEstimate:
        """Return `blank` with mean, interval at level 1 − α and both p values of its differences.

        One difference has no spread, and so neither interval nor p.
        """
        values = [value for *_, value in differences]
        undecided = VOCABULARIES[blank.kind].undecided
        estimate = replace(
            blank, num_pairs=len(values), differences=tuple(differences), verdict=undecided
        )
        if len(values) < 2:
            return replace(estimate, delta=values[0] if values else None)
        test = stats.corrected_t(values, self.ratio, self.alpha)
        return replace(
            estimate,
            delta=test.mean,
            ci_low=test.ci_low,
            ci_high=test.ci_high,
            p_corrected_t=test.p,
            p_sign_flip=stats.sign_flip_p(values, num_resamples=self.num_resamples),
        )

    def decided(self, family: Sequence[AnyEstimate], num_settled: int = 0) -> list[AnyEstimate]:
        """Return the family with corrected p values and a word for each contrast.

        What is `not_comparable` stays so and counts with a p of 1; so do `num_settled` contrasts
        that belong to the family without being in it.
        """
        adjusted = stats.holm([*(each.p for each in family), *[1.0] * num_settled])
        size = len(adjusted)
        return [self._decided(each, p, size) for each, p in zip(family, adjusted, strict=False)]

    def _decided(self, estimate: AnyEstimate, p_holm: float, size: int) -> AnyEstimate:
        if estimate.p_corrected_t is not None:
            estimate = replace(estimate, p_holm=p_holm)
        if estimate.verdict == "not_comparable":
            return estimate
        if not stats.can_be_significant(estimate.num_pairs, size, self.alpha):
            reason = "; ".join(filter(None, [self._too_few(estimate, size), estimate.reason]))
            return replace(estimate, verdict="too_few_pairs", reason=reason)
        return replace(estimate, verdict=self._word(estimate))

    def _too_few(self, estimate: Estimate, size: int) -> str:
        num = plural(estimate.num_pairs, VOCABULARIES[estimate.kind].unit)
        needed = stats.pairs_needed(self.alpha, size)
        return f"{num}; {needed} needed for α = {self.alpha:.3g}, m = {size}"

    def _word(self, estimate: Estimate) -> Verdict:
        vocabulary = VOCABULARIES[estimate.kind]
        delta, low, high = estimate.delta, estimate.ci_low, estimate.ci_high
        if delta is None or low is None or high is None or estimate.p_holm is None:
            return vocabulary.undecided
        if estimate.p_holm <= self.alpha and not low <= 0 <= high:
            return vocabulary.gain if (delta > 0) == (self.goal == "maximize") else vocabulary.loss
        values = [value for *_, value in estimate.differences]
        p_equivalence = stats.tost_p(values, self.ratio, self.margin, estimate.step)
        return vocabulary.equivalent if p_equivalence <= self.alpha else vocabulary.undecided
