"""From numbers to the one word that they allow: computed, never chosen."""

from collections.abc import Sequence
from dataclasses import replace

from audiocls import stats
from audiocls.analysis.results import ArmResult, Verdict
from audiocls.formatting import plural
from audiocls.store.record import Study


def assign_verdicts(
    study: Study, tested: Sequence[ArmResult], ratio: float, num_settled: int = 0
) -> list[ArmResult]:
    """Corrects over the whole family, then puts each result into a word.

    `num_settled` more comparisons belong to the family, each with a p of 1.
    """
    adjusted = stats.holm([*(result.p for result in tested), *[1.0] * num_settled])
    num_comparisons = len(adjusted)
    judged = []
    for result, p in zip(tested, adjusted, strict=False):
        p_holm = None if result.p_corrected_t is None else p
        judged.append(_with_verdict(replace(result, p_holm=p_holm), study, num_comparisons, ratio))
    return judged


def _with_verdict(result: ArmResult, study: Study, num_comparisons: int, ratio: float) -> ArmResult:
    if result.verdict == "not_comparable":
        return result
    if not stats.can_be_significant(result.num_pairs, num_comparisons, study.alpha):
        needed = stats.pairs_needed(study.alpha, num_comparisons)
        reason = f"{plural(result.num_pairs, 'pair')}; {needed} needed for α = {study.alpha:.3g}"
        return replace(result, verdict="too_few_pairs", reason=f"{reason}, m = {num_comparisons}")
    return replace(result, verdict=_word(result, study, ratio))


def _word(result: ArmResult, study: Study, ratio: float) -> Verdict:
    delta, low, high = result.delta, result.ci_low, result.ci_high
    if delta is None or low is None or high is None or result.p_holm is None:
        return "no_evidence"
    if result.p_holm <= study.alpha and not low <= 0 <= high:
        return "better" if (delta > 0) == (study.goal == "maximize") else "worse"
    values = [difference for *_, difference in result.differences]
    is_equivalent = stats.tost_p(values, ratio, study.margin, result.step) <= study.alpha
    return "equivalent" if is_equivalent else "no_evidence"
