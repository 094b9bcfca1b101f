"""How much differences of a planned study will vary, by what is known before it.

The best evidence is the study itself, as it was run before; then the noise of its baseline; then
an assumption, which is called one.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from audiocls.analysis.family import Estimate
from audiocls.analysis.influences import score_range
from audiocls.analysis.noise import Noise
from audiocls.analysis.results import Comparison
from audiocls.formatting import plural
from audiocls.stats import (
    EvaluationProtocol,
    Spread,
    VarianceComponents,
    assumed_spread,
    spread_of,
    stacked,
)

ASSUMED_SHARE = 0.1
"""Of the recordings of a fold, which two arms are taken to answer differently.

Between settings of one network it was 0.03 to 0.06 on ESC-10 and the embedded data set, 0.1 to 0.2
on spoken digits."""


@dataclass(frozen=True)
class NoiseEstimate:
    """How much a difference varies, on what data, and how that is known."""

    spread: Spread
    num_recordings: float
    """Of a test fold, mean; 0 where recordings are unknown, so that folds stand for them."""
    ratio: float
    """n_test/n_train."""
    source: str
    mean: float | None = None
    """Of the baseline, in units of the metric."""
    is_assumed: bool = False
    """Whether nothing was measured."""
    score_range: float = 0.0
    """The largest effect that there can be: 1 for shares; 0 where that is unknown."""

    def protocol(self, num_folds: int) -> EvaluationProtocol:
        """Return so many folds of this data."""
        return EvaluationProtocol(num_folds, round(num_folds * self.num_recordings), self.ratio)

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self)


def of_comparison(comparison: Comparison) -> NoiseEstimate | None:
    """Return how much the arms of a finished study varied; `None` where nothing tells.

    One seed on one fold is enough where recordings are known: what lasts is then assumed.
    """
    known = _of_one_layout(comparison.compared)
    if not known:
        return None
    together = stacked(known)
    num_trials, num_folds, num_recordings = together.layout
    if num_trials == 1 and not num_recordings:
        return None
    num_seeds = num_trials / num_folds
    grid = f"{num_seeds:.3g} seed{'s' * (num_seeds != 1)} × {plural(num_folds, 'fold')}"
    source = f"{plural(len(known), 'comparison')} of {comparison.study}, {grid}, as launched before"
    return NoiseEstimate(
        _at_least(spread_of(together), comparison.metric, num_recordings, num_folds),
        num_recordings / num_folds,
        comparison.ratio,
        source,
        comparison.arms[0].mean,
        score_range=score_range(comparison.metric),
    )


def _of_one_layout(arms: Sequence[Estimate]) -> list[VarianceComponents]:
    """Return the components of the arms that share the most common number of trials and folds."""
    known = [arm.components for arm in arms if arm.components and arm.verdict != "not_comparable"]
    layouts = [each.layout for each in known]
    common = max(layouts, key=layouts.count, default=None)
    return [each for each in known if each.layout == common]


def _at_least(spread: Spread, metric: str, num_recordings: int, num_folds: int) -> Spread:
    """Return the spread, in which one recording of all is won and one lost at least.

    Trainings that all agree do not promise that an effect of any size would be seen.
    """
    if not num_recordings:
        return spread
    least = 2 * num_folds * (score_range(metric) / num_recordings) ** 2
    return replace(spread, by_clip=max(spread.by_clip, least - spread.lasting))


def of_baseline(measured: Noise, is_tuned: bool) -> NoiseEstimate | None:
    """Return what a baseline's noise tells of differences; `None` where it has but one seed."""
    if measured.spread is None:
        return None
    whose = "the baseline, untuned" if is_tuned else "the baseline"
    source = (
        f"{measured.study}, {measured.grid} of {whose}; of what single recordings add to a "
        "difference, a fifth is taken to last over seeds"
    )
    num_folds = len(measured.folds)
    num_recordings = round(measured.num_recordings * num_folds)
    spread = _at_least(measured.spread, measured.metric, num_recordings, num_folds)
    return NoiseEstimate(
        spread,
        measured.num_recordings,
        measured.ratio,
        source,
        measured.mean,
        score_range=score_range(measured.metric),
    )


def assumed(metric: str, num_recordings: float, ratio: float) -> NoiseEstimate | None:
    """Return a guess for a metric that is a share; `None` for any other.

    `num_recordings` are those of a test fold, two at least.
    """
    if score_range(metric) != 1 or num_recordings < 2:
        return None
    source = (
        "an assumption: nothing is measured yet, and two arms are taken to answer a tenth of "
        f"the {num_recordings:.0f} recordings of a test fold differently"
    )
    spread = assumed_spread(ASSUMED_SHARE, num_recordings)
    return NoiseEstimate(
        spread, num_recordings, ratio, source, is_assumed=True, score_range=score_range(metric)
    )
