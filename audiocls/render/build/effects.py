"""The effects of factors as a table, and the remarks that belong to it."""

from audiocls.analysis.results import Comparison, Effect
from audiocls.formatting import format_percent, format_signed, num_decimals, plural
from audiocls.render.build.verdicts import (
    REASON,
    claim_of,
    evidence_cells,
    evidence_columns,
    needless,
)
from audiocls.render.table import Cell, Column, Table

TITLE = "Effects of the factors"
EFFECT_MEANINGS = {
    "interacts": "the effect of this change depends on the other factor (interaction)",
    "additive": "shown to differ by less than the margin: the effects add up",
}
"""Of an interaction alone; the other words are those of a comparison."""


def effect_table(comparison: Comparison) -> Table:
    """Return one row for each effect, without the columns that no effect fills."""
    effects = comparison.effects.estimates
    table = Table(
        columns=_columns(comparison),
        rows=tuple(_row(effect, comparison.scale) for effect in effects),
        label=f"{comparison.study}-effects",
        caption=_caption(comparison),
        claim=claim_of(comparison, len(effects), "effect"),
    )
    return table.without(*needless(comparison, effects)).without_empty()


def _columns(comparison: Comparison) -> tuple[Column, ...]:
    return (
        Column("effect", "name"),
        Column("against", "name"),
        Column("effect without → with the other factor", is_detail=True, drop=7),
        Column("blocks", drop=8),
        *evidence_columns(comparison),
        Column("verdict", "verdict"),
        Column("aliased with", "remark"),
        REASON,
    )


def _row(effect: Effect, scale: int) -> tuple[Cell, ...]:
    return (
        effect.name,
        effect.against,
        _simple_effects(effect, scale),
        str(effect.num_pairs),
        *evidence_cells(effect, scale, effect.is_claim),
        effect.verdict,
        ", ".join(effect.aliases),
        effect.reason,
    )


def _simple_effects(effect: Effect, scale: int) -> str:
    """Return `+2.1 → −0.4`: the effect without the other factor, then with it."""
    deltas = [scale * part.delta for part in effect.parts]
    return " → ".join(format_signed(delta, num_decimals(*deltas)) for delta in deltas)


def _caption(comparison: Comparison) -> tuple[str, ...]:
    level = format_percent(1 - comparison.alpha)
    return (
        comparison.question,
        f"Effects of the factors on {comparison.metric} ± half of their {level} interval.",
        *effect_remarks(comparison),
    )


def effect_remarks(comparison: Comparison) -> list[str]:
    """Return how the effects came about, and which of them these arms cannot show."""
    effects, lines = comparison.effects, []
    has_main = any(effect.kind == "main" for effect in effects.estimates)
    if effects.estimates:
        lines.append(
            "An effect is one number on each block where all of its arms have finished, judged as "
            f"paired differences are; p (Holm) is over {plural(len(effects.estimates), 'effect')}, "
            "a family apart from that of the verdicts. "
            f"{'A main effect is averaged over the other factors. ' if has_main else ''}"
            "An interaction A × B is the effect of A with B minus the effect of A without B."
        )
    if any(effect.aliases for effect in effects.estimates):
        lines.append(
            "A fraction of the combinations was trained: an effect is the sum of itself and of "
            "those it is aliased with."
        )
    if effects.compared:
        names = ", ".join(effects.compared)
        lines.append(f"A comparison of two arms, and so among the verdicts: {names}.")
    if effects.not_estimated:
        lines.append(f"Cannot be estimated: {'; '.join(effects.not_estimated)}.")
    return lines
