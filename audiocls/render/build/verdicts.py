"""The verdict table of a comparison, how it came about in words, and its plain values."""

from dataclasses import asdict, replace
from typing import Any

from audiocls.analysis.pareto import fronts
from audiocls.analysis.results import ArmResult, Comparison, Effect
from audiocls.formatting import format_count, format_duration, plural
from audiocls.render.build.headline import headline
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
    """`Holm's correction for 3 comparisons`."""
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
    """`test/loss, minimize: beside the metric that decides`."""
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
    """`103 of 105 trials finished.`."""
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
    """`dropout=0.1, seed 0, fold 3 (a1b2c3d4e5f6)`."""
    return f"{cell.arm}, seed {cell.seed}, fold {cell.fold} ({cell.id})"


# fmt: off
ARM_KEYS = (
    "arm", "changes", "num_pairs", "mean", "mean_ci_low", "mean_ci_high", "delta", "ci_low",
    "ci_high", "p_corrected_t", "p_sign_flip", "p_holm", "verdict", "reason", "num_params", "macs",
    "seconds", "step", "against", "differences", "look", "alpha",
)
"""Of an arm in JSON, in order."""
EFFECT_KEYS = (
    "name", "against", "kind", "num_blocks", "delta", "ci_low", "ci_high", "p_corrected_t",
    "p_sign_flip", "p_holm", "verdict", "reason", "aliases", "parts",
)
"""Of an effect in JSON, in order."""
# fmt: on


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return plain values in units of the metric; every number is finite or `None`."""
    arms, effects = comparison.arms, comparison.effects
    rest = replace(comparison, arms=(), secondary=(), effects=replace(effects, estimates=()))
    plain = asdict(rest)
    estimates = [_effect_to_json(effect) for effect in effects.estimates]
    return {
        **plain,
        "arms": [arm_to_json(result) for result in arms],
        "secondary": [to_json(each) for each in comparison.secondary],
        "effects": {**plain["effects"], "estimates": estimates},
        "headline": headline(comparison),
        "fronts": [asdict(front) for front in fronts(comparison)],
    }


def arm_to_json(result: ArmResult) -> dict[str, Any]:
    """Return one arm as plain values, each difference with its block."""
    differences = [
        {"seed": seed, "fold": fold, "difference": value}
        for seed, fold, value in result.differences
    ]
    values = {**asdict(replace(result, differences=())), "differences": differences}
    return {name: values[name] for name in ARM_KEYS}


def _effect_to_json(effect: Effect) -> dict[str, Any]:
    values = asdict(replace(effect, differences=()))
    values["num_blocks"] = effect.num_pairs
    return {name: values[name] for name in EFFECT_KEYS}
