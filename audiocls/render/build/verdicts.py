"""The answer of a comparison: its headline, the verdict table, and how they came about."""

from collections.abc import Sequence

from audiocls import stats
from audiocls.analysis.results import ArmResult, Comparison, Effect
from audiocls.formatting import (
    format_count,
    format_duration,
    format_fixed,
    format_percent,
    format_signed,
    num_decimals,
    number_word,
    plural,
)
from audiocls.render.table import Cell as TableCell
from audiocls.render.table import Column, Estimate, PValue, Table
from audiocls.store.record import Cell

VERDICT_MEANINGS = {
    "better": "significant after correction, the interval excludes 0, and in the wanted direction",
    "worse": "the same, in the unwanted direction",
    "equivalent": "shown to differ from what it is compared with by less than the margin",
    "no_evidence": "enough pairs, but neither an effect nor its absence could be shown",
    "too_few_pairs": "even perfectly consistent pairs could not have been significant",
    "not_comparable": "unequal compute, other code, data, environment or protocol, missing pairs, "
    "or a change that had no effect",
}
CLAIMS = ("better", "worse")
COSTS = ("params", "MACs", "time")
"""Columns that are the same for every metric."""
TESTS = (
    Column("p (t)", is_detail=True, drop=5),
    Column("p (permutation)", is_detail=True, drop=6),
    Column("p (Holm)"),
)
REASON = Column("reason", "remark", drop=1)
MAX_NAMED = 3
"""Arms that the headline names; the others are counted."""


def headline(comparison: Comparison) -> str:
    """Return `dropout=0.1 helps: +2.1 points (95 % interval 0.8 to 3.4, 15 pairs); …`."""
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
    """Return `+2.1 points (95 % interval 0.8 to 3.4, 15 pairs)`."""
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


def verdict_table(comparison: Comparison) -> Table:
    """Return one row for each arm, the baseline first; `against` only where references differ."""
    table = Table(
        columns=_columns(comparison),
        rows=tuple(_row(result, comparison.scale) for result in comparison.arms),
        label=f"{comparison.study}-{comparison.metric}",
        caption=_caption(comparison),
        notes=_notes(comparison),
        claim=claim_of(comparison, len(comparison.compared), "comparison"),
    )
    return table if comparison.has_references else table.without("against")


def claim_of(comparison: Comparison, num: int, what: str) -> str:
    """Return `Holm's correction for 3 comparisons`."""
    return f"{comparison.correction.capitalize()}'s correction for {plural(num, what)}"


def _columns(comparison: Comparison) -> tuple[Column, ...]:
    is_share = comparison.scale == 100
    level = comparison.interval_level
    return (
        Column("arm", "name"),
        Column("against", "name"),
        Column("pairs", drop=7),
        Column(comparison.metric, unit="%" * is_share, level=level),
        Column("Δ", unit="points" * is_share, level=level),
        *TESTS,
        Column("verdict", "verdict"),
        Column("params", is_detail=True, is_drawn=True, drop=3),
        Column("MACs", is_detail=True, is_drawn=True, drop=2),
        Column("time", is_detail=True, is_drawn=True, drop=4),
        REASON,
    )


def _row(result: ArmResult, scale: int) -> tuple[TableCell, ...]:
    return (
        result.arm,
        result.against,
        str(result.num_pairs),
        Estimate(result.mean, result.mean_ci_low, result.mean_ci_high, scale),
        difference(result, scale),
        *p_values(result),
        result.verdict,
        format_count(result.num_params),
        format_count(result.macs),
        format_duration(result.seconds),
        result.reason,
    )


def difference(result: ArmResult, scale: int) -> Estimate:
    """Return the arm's difference to its reference as a cell."""
    is_claim = result.verdict in CLAIMS
    return Estimate(result.delta, result.ci_low, result.ci_high, scale, True, is_claim)


def p_values(result: ArmResult | Effect) -> tuple[PValue, PValue, PValue]:
    """Return the cells of the columns `TESTS`."""
    return (
        PValue(result.p_corrected_t),
        PValue(result.p_sign_flip),
        PValue(result.p_holm),
    )


def secondary_table(comparison: Comparison) -> Table:
    """Return the table of a metric that decides nothing, without the columns of cost."""
    return verdict_table(comparison).without(*COSTS)


def secondary_title(comparison: Comparison) -> str:
    """Return `test/loss, minimize: beside the metric that decides`."""
    return f"{comparison.metric}, {comparison.goal}: beside the metric that decides"


def _caption(comparison: Comparison) -> tuple[str, ...]:
    level = comparison.interval_level
    return (
        comparison.question,
        f"Means and differences of {comparison.metric} ± half of their {level} interval.",
        method_text(comparison),
    )


def _notes(comparison: Comparison) -> tuple[str, ...]:
    return (*([finished(comparison)] if comparison.missing else []), *comparison.notes)


def finished(comparison: Comparison) -> str:
    """Return `103 of 105 trials finished.`."""
    done = comparison.num_expected - len(comparison.missing)
    return f"{done} of {comparison.num_expected} trials finished."


def method_text(comparison: Comparison) -> str:
    """Return how the numbers came about, in plain words."""
    num = len(comparison.compared)
    scale = comparison.scale
    other = "the arm named under against" if comparison.has_references else comparison.baseline
    return (
        f"Arms are compared with {other} in pairs of the same seed and fold. "
        f"Interval and first p: {comparison.method}. Second p: sign-flip permutation test, exact "
        "up to 16 pairs. The larger of the two is corrected for "
        f"{plural(num, 'comparison')} by Holm's method, α = {comparison.alpha:g}. "
        f"Equivalence: two one-sided tests against ±{comparison.margin * scale:g}"
        f"{' points' if scale == 100 else ''}, uncorrected."
        f"{_interim_rule(comparison)}"
    )


def _interim_rule(comparison: Comparison) -> str:
    """Return how a study that grew until it was decided spent its α."""
    if not comparison.looks:
        return ""
    alpha = f"{comparison.alpha:g}"
    return (
        " The study grew until it was decided. Each look has an α of its own, which takes the "
        f"place of {alpha} in all of the above; together they spend at most {alpha}: the first "
        "look with enough pairs to claim anything may spend α/2; of the other α/2 the fraction "
        "1 − 1/n has been spent once n times as many pairs are in (alpha spending, Lan and DeMets "
        "1983, with the union bound). A verdict stays as it was when its look decided it."
    )


def name_of(cell: Cell) -> str:
    """Return `dropout=0.1, seed 0, fold 3 (a1b2c3d4e5f6)`."""
    return f"{cell.arm}, seed {cell.seed}, fold {cell.fold} ({cell.id})"
