"""The rule: a family of contrasts is measured, judged together, corrected, and put into words.

`Rule.measured` turns differences into a mean and the components of its variance; `Rule.decided`
judges the family, which shares what it knows of the noise, corrects its p values, and finds the
words. Which errors a claim must exceed, and why: docs/decisions/0004-two-units.md.

Legend: A contrasts of one family.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls import stats
from audiocls.analysis.differences import BlockDifferences
from audiocls.analysis.family import VOCABULARIES, AnyEstimate, Estimate, Verdict
from audiocls.analysis.pairing import RecordGrid
from audiocls.formatting import plural
from audiocls.stats import Uncertainty, VarianceComponents


@dataclass(frozen=True)
class Rule:
    """How a family is decided; amounts are in units of the metric."""

    alpha: float
    """In (0, 1): level of the family, of each interval and of equivalence."""
    margin: float
    """Half-width of the zone of equivalence, above 0."""
    goal: str
    """`maximize` or `minimize`."""
    ratio: float
    """n_test/n_train, by which training sets of folds overlap."""
    score_range: float = 0.0
    """What the metric of one recording may change by: 1 for shares; 0 where that is unknown."""
    is_watched: bool = False
    """Whether the study is looked at after every seed, so that its errors must hold at any time."""

    @classmethod
    def of(cls, grid: RecordGrid) -> "Rule":
        study, is_watched = grid.study, bool(grid.study.looks)
        scale = grid.score_range
        return cls(study.alpha, study.margin, study.goal, grid.ratio, scale, is_watched)

    def errors(self, components: VarianceComponents) -> tuple[Uncertainty, ...]:
        """Return the errors that a claim must exceed; the last is that of the largest units."""
        of = stats.anytime_errors if self.is_watched else stats.uncertainties
        return of(components, self.ratio)

    def half_width(self, components: VarianceComponents, alpha: float) -> float:
        """Return half the interval of a contrast by itself; infinite if its error is unknown."""
        alone = stats.stacked([components])
        return float(stats.half_width(self.errors(alone), alpha)[0])

    def measured(self, blank: AnyEstimate, differences: BlockDifferences) -> AnyEstimate:
        """Return `blank` with the mean of its differences and the components of its variance."""
        components = differences.components(blank.step)
        return replace(
            blank,
            num_pairs=len(differences.values),
            differences=differences.values,
            components=components,
            delta=None if components is None else round(float(components.mean), 12),
            without_recordings=differences.reason,
        )

    def decided(self, family: Sequence[AnyEstimate], num_settled: int = 0) -> list[AnyEstimate]:
        """Return the family with intervals, corrected p values and a word for each contrast.

        What is `not_comparable` stays so and counts with a p of 1; so do `num_settled` contrasts
        that belong to the family without being in it.
        """
        judged = self._judged(family, len(family) + num_settled)
        ps = _holm([each.p for each in judged], num_settled)
        within = _holm([each.p_equivalence for each in judged], num_settled)
        return [
            self._worded(replace(each, p_holm=p, p_equivalence=p_within))
            for each, p, p_within in zip(judged, ps, within, strict=True)
        ]

    def _judged(self, family: Sequence[AnyEstimate], size: int) -> list[AnyEstimate]:
        """Return the family with intervals and p values; those alike are judged together.

        Only contrasts of one kind and one layout can share an estimate of the noise: an interaction
        has four times the variance of a main effect of the same arms.
        """
        layouts: dict[tuple[str | int, ...], list[int]] = {}
        for index, each in enumerate(family):
            if each.components is not None and each.verdict != "not_comparable":
                layouts.setdefault((each.kind, *each.components.layout), []).append(index)
        judged = list(family)
        for indices in layouts.values():
            alike = self._together([family[index] for index in indices], size)
            for index, estimate in zip(indices, alike, strict=True):
                judged[index] = estimate
        return judged

    def _together(self, alike: Sequence[AnyEstimate], size: int) -> list[AnyEstimate]:
        components = stats.stacked([each.components for each in alike if each.components])
        errors = self.errors(components)
        single, joint = (
            stats.half_width(errors, level) for level in (self.alpha, self.alpha / size)
        )
        if not np.isfinite(single).all():
            return list(alike)
        distance = np.abs(components.mean)
        units = stats.p_value(errors[:-1], distance) if len(errors) > 1 else None
        replicates = errors[-1].p(distance)
        within = self._p_equivalence(components, alike[0].step)
        return [
            replace(
                each,
                **self._interval("ci", components.mean[row], single[row]),
                **self._interval("simultaneous", components.mean[row], joint[row]),
                p_units=None if units is None else float(units[row]),
                p_replicates=float(replicates[row]),
                p_equivalence=float(within[row]),
            )
            for row, each in enumerate(alike)
        ]

    def _interval(self, name: str, mean: float, half: float) -> dict[str, Any]:
        """Return both bounds by their fields; a difference of shares cannot leave −1 to 1."""
        limit = self.score_range or np.inf
        low, high = max(-limit, mean - half), min(limit, mean + half)
        return {f"{name}_low": float(low), f"{name}_high": float(high)}

    def _p_equivalence(self, components: VarianceComponents, step: float) -> NDArray[np.float64]:
        """Return the p values, before correction, that effects are `margin` or more.

        Shape: → (A,)
        """
        num_clips = round(components.num_folds / step) if step else 0
        careful = stats.with_one_won_and_one_lost(
            components, components.num_recordings or num_clips, self.score_range
        )
        return stats.equivalence_p(self.errors(careful), components.mean, self.margin)

    def _worded(self, estimate: AnyEstimate) -> AnyEstimate:
        if estimate.verdict == "not_comparable":
            return estimate
        if estimate.p_holm is None:
            reason = "; ".join(filter(None, [_too_few(estimate, self.is_watched), estimate.reason]))
            return replace(estimate, verdict="too_few_pairs", reason=reason)
        return replace(estimate, verdict=self._word(estimate))

    def _word(self, estimate: Estimate) -> Verdict:
        vocabulary = VOCABULARIES[estimate.kind]
        if estimate.p_holm is not None and estimate.p_holm <= self.alpha:
            is_gain = ((estimate.delta or 0.0) > 0) == (self.goal == "maximize")
            return vocabulary.gain if is_gain else vocabulary.loss
        if estimate.p_equivalence is not None and estimate.p_equivalence <= self.alpha:
            return vocabulary.equivalent
        return "no_evidence"


def _holm(ps: Sequence[float | None], num_settled: int) -> list[float | None]:
    """Return the corrected p values; an unknown one counts as 1, and stays unknown."""
    settled = [1.0] * num_settled
    adjusted = stats.holm([*(1.0 if p is None else p for p in ps), *settled])
    return [None if p is None else corrected for p, corrected in zip(ps, adjusted, strict=False)]


def _too_few(estimate: Estimate, is_watched: bool) -> str:
    """Return what is missing before anything could be claimed."""
    num = plural(estimate.num_pairs, VOCABULARIES[estimate.kind].unit)
    needed = "two seeds" if is_watched or not estimate.num_pairs else "two seeds or two folds"
    return f"{num}; {needed} needed at least, to see how much trainings vary"
