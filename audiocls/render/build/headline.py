"""The answer of a comparison in one sentence, with what it applies to."""

import math
from collections.abc import Iterator, Sequence

from audiocls.analysis.family import Verdict
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.formatting import (
    format_fixed,
    format_signed,
    format_signed_pair,
    num_decimals,
    number_word,
    plural,
)

MAX_NAMED = 3
"""Arms that the headline names; the others are counted."""
VERBS: dict[Verdict, str] = {"better": "helps", "worse": "hurts"}
UNCLAIMED: tuple[Verdict, ...] = (
    "equivalent",
    "no_evidence",
    "too_few_pairs",
    "not_comparable",
    "not_due",
)


def headline(comparison: Comparison) -> str:
    """Return `dropout=0.1 helps on this split: +2.1 points (95 % interval 0.8 to 3.4, 8 pairs).`"""
    arms = comparison.compared
    verdicts = {result.verdict for result in arms}
    if not arms:
        return "There is no arm to compare with the baseline."
    if "not_due" in verdicts:
        done = comparison.num_expected - len(comparison.missing)
        return f"No verdict is due yet: {done} of {comparison.num_expected} trials are finished."
    if verdicts == {"not_comparable"}:
        return f"Nothing can be compared yet: {_common(arms)}."
    if verdicts == {"too_few_pairs"}:
        return f"Too few pairs to tell {scope_words(comparison)}: {_common(arms)}."
    if verdicts == {"no_evidence"}:
        return f"{_nothing_shown(comparison)}."
    first, *others = _clauses(comparison)
    is_name = any(first.startswith(result.arm) for result in arms)
    return f"{'; '.join([first if is_name else capitalised(first), *others])}."


def short_answer(comparison: Comparison) -> str:
    """Return `dropout=0.1 better, 2 no evidence`: every verdict, claimed effects by name."""
    claims = [f"{arm.arm} {arm.verdict}" for arm in comparison.compared if arm.verdict in VERBS]
    rest = [(verdict, len(arms)) for verdict, arms in _others(comparison)]
    num_beyond = len(claims) - MAX_NAMED
    beyond = [f"{number_word(num_beyond)} more claimed"] if num_beyond > 0 else []
    words = (f"{number} {verdict.replace('_', ' ')}" for verdict, number in rest)
    return ", ".join([*claims[:MAX_NAMED], *beyond, *words])


def scope_words(comparison: Comparison) -> str:
    """Return `over all 5 folds`, `over 2 of 5 folds`, `on this split`, `on these test clips`."""
    num, num_all = comparison.num_folds, comparison.num_all_folds
    if comparison.scope == "data":
        return f"over all {num} folds"
    if comparison.scope == "folds":
        known = f"{num} of {num_all}" if num < (num_all or 0) else f"these {num}"
        return f"over {known} folds"
    return "on this split" if comparison.scope == "split" else "on these test clips"


def capitalised(sentence: str) -> str:
    """Return the sentence with a capital letter at its start."""
    return sentence[:1].upper() + sentence[1:]


def effect(comparison: Comparison, result: ArmResult) -> str:
    """Return `+2.1 points (95 % interval 0.8 to 3.4, 15 pairs)`."""
    scale = comparison.scale
    unit = "points" if scale == 100 else f"in {comparison.metric}"
    delta, low, high = (scale * (v or 0.0) for v in (result.delta, result.ci_low, result.ci_high))
    decimals = num_decimals(low, high)
    look = f", decided at look {result.look}" if result.look else ""
    against = "" if result.against == comparison.baseline else f" against {result.against}"
    return (
        f"{format_signed(delta, decimals)} {unit} ({comparison.interval_level} interval "
        f"{format_fixed(low, decimals)} to {format_fixed(high, decimals)}, "
        f"{plural(result.num_pairs, 'pair')}{look}){against}"
    )


def worst_pair(comparison: Comparison, arms: Sequence[ArmResult]) -> str:
    """Return the worst pair of these arms: `−41.0 points, seed 3 fold 2`."""
    sign = 1.0 if comparison.goal == "maximize" else -1.0
    known = [worst for arm in arms if (worst := comparison.worst_pair(arm)) is not None]
    seed, fold, difference = min(known, key=lambda worst: sign * worst[2])
    value = comparison.scale * difference
    unit = " points" if comparison.scale == 100 else ""
    return f"{format_signed(value, num_decimals(value))}{unit}, seed {seed} fold {fold}"


def _clauses(comparison: Comparison) -> list[str]:
    """Return a clause for each effect and each other state, the first with what it applies to."""
    scope = scope_words(comparison)
    clauses: list[str] = []
    for verdict in VERBS:
        clauses += _effects(comparison, verdict, "" if clauses else f" {scope}")
    for verdict, arms in _others(comparison):
        subject = _subject(comparison, arms, is_remainder=_is_remainder(comparison, verdict))
        clauses.append(_state(comparison, verdict, arms, subject, "" if clauses else f" {scope}"))
    return clauses


def _effects(comparison: Comparison, verdict: Verdict, scope: str) -> list[str]:
    """Return a clause for each claimed effect, the largest first; the fourth and on are counted."""
    claimed = [result for result in comparison.compared if result.verdict == verdict]
    claimed.sort(key=lambda result: -abs(result.delta or 0.0))
    verb, clauses = VERBS[verdict], []
    for place, arm in enumerate(claimed[:MAX_NAMED]):
        small = ", by less than the margin" if comparison.is_within_margin(arm) else ""
        where = scope if place == 0 else ""
        clauses.append(f"{arm.arm} {verb}{where}{small}: {effect(comparison, arm)}")
    beyond = len(claimed) - MAX_NAMED
    if beyond > 0:
        several = verb.removesuffix("s")
        clauses.append(f"{number_word(beyond)} more {several if beyond > 1 else verb}")
    return clauses


def _others(comparison: Comparison) -> Iterator[tuple[Verdict, list[ArmResult]]]:
    """Yield the verdicts that claim no effect, each with its arms."""
    for verdict in UNCLAIMED:
        arms = [result for result in comparison.compared if result.verdict == verdict]
        if arms:
            yield verdict, arms


def _is_remainder(comparison: Comparison, verdict: Verdict) -> bool:
    """Whether all arms of other verdicts are claims, so that these are `the other` ones."""
    others = {result.verdict for result in comparison.compared} - {verdict}
    return bool(others) and others <= set(VERBS)


def _state(
    comparison: Comparison, verdict: Verdict, arms: Sequence[ArmResult], subject: str, scope: str
) -> str:
    be, have = ("is", "has") if len(arms) == 1 else ("are", "have")
    if verdict == "equivalent":
        return f"{subject} {be} {_equivalence(comparison, arms, scope)}"
    if verdict == "no_evidence":
        known = _excluded(comparison, arms)
        return f"no evidence of a difference{scope} for {subject}" + (
            f" ({known})" if known else ""
        )
    if verdict == "too_few_pairs":
        return f"{subject} {have} too few pairs to tell{scope}"
    return f"{subject} {be} not comparable"


def _equivalence(comparison: Comparison, arms: Sequence[ArmResult], scope: str) -> str:
    """Return `equivalent to base within ±1 points (worst pair −0.9 points, seed 3 fold 2)`."""
    unit = " points" if comparison.scale == 100 else ""
    margin = f"±{comparison.margin * comparison.scale:g}{unit}"
    of = " of all" if len(arms) > 1 else ""
    corrected = "Holm-corrected, " if len(comparison.compared) > 1 else ""
    worst = f"worst pair{of} {worst_pair(comparison, arms)}"
    return f"equivalent to {comparison.other_side} within {margin}{scope} ({corrected}{worst})"


def _nothing_shown(comparison: Comparison) -> str:
    """Return that no arm was shown to differ, and which effects can be excluded all the same."""
    arms, scope = comparison.compared, scope_words(comparison)
    which = "either of the two" if len(arms) == 2 else f"any of the {number_word(len(arms))}"
    subject = f"that {which} arms differs from {comparison.other_side}"
    if len(arms) == 1:
        subject = f"of a difference between {arms[0].arm} and {arms[0].against}"
    known = _excluded(comparison, arms)
    each = " for each" if len(arms) > 1 and known.startswith("effects") else ""
    limits = f"; {known}{each}" if known else ""
    return f"No evidence {subject} {scope} ({_pairs(arms)}){limits}"


def _excluded(comparison: Comparison, arms: Sequence[ArmResult]) -> str:
    """Return `effects beyond −3.7 to +1.4 points are excluded`; an empty text where none is.

    By the simultaneous intervals of all arms together: the own interval of one among several may
    exclude 0 where nothing was shown. Intervals from −100 to 100 points say nothing.
    """
    ends = [end for arm in arms for end in (arm.simultaneous_low, arm.simultaneous_high)]
    known = [end for end in ends if end is not None and math.isfinite(end)]
    if len(known) < len(ends):
        return ""
    if comparison.scale == 100 and min(known) <= -1 and max(known) >= 1:
        return "no effect is excluded yet"
    unit = " points" if comparison.scale == 100 else ""
    low, high = comparison.scale * min(known), comparison.scale * max(known)
    return f"effects beyond {format_signed_pair(low, high, ' to ')}{unit} are excluded"


def _subject(comparison: Comparison, arms: Sequence[ArmResult], is_remainder: bool) -> str:
    if len(arms) == 1:
        return arms[0].arm
    if len(arms) == len(comparison.compared):
        return "both arms" if len(arms) == 2 else f"all {number_word(len(arms))} arms"
    if is_remainder:
        return f"the other {number_word(len(arms))} arms"
    if len(arms) > MAX_NAMED:
        return f"{number_word(len(arms))} arms"
    return ", ".join(result.arm for result in arms[:-1]) + f" and {arms[-1].arm}"


def _pairs(arms: Sequence[ArmResult]) -> str:
    numbers = sorted({result.num_pairs for result in arms})
    if len(numbers) == 1:
        return plural(numbers[0], "pair")
    return f"{numbers[0]} to {numbers[-1]} pairs"


def _common(arms: Sequence[ArmResult]) -> str:
    """Return the reason that all arms share, or else the first arm with its own."""
    reasons = {result.reason for result in arms}
    return arms[0].reason if len(reasons) == 1 else f"{arms[0].arm}: {arms[0].reason}"
