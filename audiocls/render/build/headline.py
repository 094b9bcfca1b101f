"""The answer in one sentence: the arms that are better, worse, equivalent or undecided."""

from collections.abc import Sequence

from audiocls import stats
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.formatting import (
    format_fixed,
    format_percent,
    format_signed,
    num_decimals,
    number_word,
    plural,
)

MAX_NAMED = 3


def headline(comparison: Comparison) -> str:
    """`dropout=0.1 helps: +2.1 points (95 % interval 0.8 to 3.4, 15 pairs); the other three …`."""
    arms = comparison.compared
    verdicts = {result.verdict for result in arms}
    if not arms:
        return "There is no arm to compare with the baseline."
    if verdicts == {"not_comparable"}:
        return f"Nothing can be compared yet: {_common(arms)}."
    if verdicts == {"too_few_pairs"}:
        return _too_few(comparison)
    if verdicts == {"no_evidence"} and len(arms) > 1:
        return (
            f"No evidence that any of the {number_word(len(arms))} arms differs from "
            f"{comparison.other_side} ({_pairs(arms)})."
        )
    clauses = [*_effects(comparison, "better"), *_effects(comparison, "worse")]
    sentence = "; ".join(clauses + _rest(comparison, has_effects=bool(clauses)))
    return f"{sentence}."


def effect(comparison: Comparison, result: ArmResult) -> str:
    """`+2.1 points (95 % interval 0.8 to 3.4, 15 pairs)`."""
    scale = comparison.scale
    unit = "points" if scale == 100 else f"in {comparison.metric}"
    delta, low, high = (scale * (v or 0.0) for v in (result.delta, result.ci_low, result.ci_high))
    decimals = num_decimals(low, high)
    level = format_percent(round(1 - (result.alpha or comparison.alpha), 4))
    look = f", decided at look {result.look}" if result.look else ""
    return (
        f"{format_signed(delta, decimals)} {unit} ({level} interval "
        f"{format_fixed(low, decimals)} to {format_fixed(high, decimals)}, "
        f"{plural(result.num_pairs, 'pair')}{look})" + _against(comparison, result)
    )


def _against(comparison: Comparison, result: ArmResult) -> str:
    return "" if result.against == comparison.baseline else f" against {result.against}"


def _effects(comparison: Comparison, verdict: str) -> list[str]:
    """Return a clause for each claimed effect, the largest first; the fourth and on are counted."""
    claimed = [result for result in comparison.compared if result.verdict == verdict]
    claimed.sort(key=lambda result: -abs(result.delta or 0.0))
    verb = "helps" if verdict == "better" else "hurts"
    clauses = [f"{arm.arm} {verb}: {effect(comparison, arm)}" for arm in claimed[:MAX_NAMED]]
    beyond = len(claimed) - MAX_NAMED
    if beyond > 0:
        several = verb.removesuffix("s")
        clauses.append(f"{number_word(beyond)} more {several if beyond > 1 else verb}")
    return clauses


def _rest(comparison: Comparison, has_effects: bool) -> list[str]:
    """Return one clause for each verdict that claims no effect."""
    margin = f"±{comparison.margin * comparison.scale:g}"
    unit = " points" if comparison.scale == 100 else ""
    predicates = {
        "equivalent": (
            "is",
            "are",
            f"equivalent to {comparison.other_side} within {margin}{unit}",
        ),
        "no_evidence": ("shows", "show", "no evidence"),
        "too_few_pairs": ("has", "have", "too few pairs to tell"),
        "not_comparable": ("is", "are", "not comparable"),
    }
    groups = {
        verdict: [result for result in comparison.compared if result.verdict == verdict]
        for verdict in predicates
    }
    groups = {verdict: arms for verdict, arms in groups.items() if arms}
    clauses = []
    for verdict, arms in groups.items():
        one, several, words = predicates[verdict]
        is_remainder = len(groups) == 1 and has_effects
        subject = _subject(arms, is_remainder, is_all=len(arms) == len(comparison.compared))
        clauses.append(f"{subject} {one if len(arms) == 1 else several} {words}")
    return clauses


def _subject(arms: Sequence[ArmResult], is_remainder: bool, is_all: bool) -> str:
    if len(arms) == 1:
        return arms[0].arm
    if is_all:
        return f"all {number_word(len(arms))} arms"
    return f"the other {number_word(len(arms))} arms" if is_remainder else _names(arms)


def _names(arms: Sequence[ArmResult]) -> str:
    if len(arms) > MAX_NAMED:
        return f"{number_word(len(arms))} arms"
    return ", ".join(result.arm for result in arms[:-1]) + f" and {arms[-1].arm}"


def _too_few(comparison: Comparison) -> str:
    arms = comparison.compared
    alpha = comparison.alpha / 2 if comparison.looks else comparison.alpha
    needed = stats.pairs_needed(alpha, len(arms))
    at = f"at α = {alpha:g}"
    family = f"{number_word(len(arms))} comparisons {at} need"
    if len(arms) == 1:
        family = f"one comparison {at} needs"
    return f"Too few pairs to tell: {_pairs(arms)}, and {family} {needed}."


def _pairs(arms: Sequence[ArmResult]) -> str:
    numbers = sorted({result.num_pairs for result in arms})
    if len(numbers) == 1:
        return plural(numbers[0], "pair")
    return f"{numbers[0]} to {numbers[-1]} pairs"


def _common(arms: Sequence[ArmResult]) -> str:
    """Return the reason that all arms share, or else the first arm with its own."""
    reasons = {result.reason for result in arms}
    return arms[0].reason if len(reasons) == 1 else f"{arms[0].arm}: {arms[0].reason}"
