"""The effects of factors as a table, and what must be said beside it."""

from audiocls.analysis.results import Comparison, Effect
from audiocls.formatting import (
    NONE,
    format_estimate,
    format_p,
    format_percent,
    format_signed,
    num_decimals,
    plural,
)
from audiocls.render.tables import Table

EFFECT_MEANINGS = {
    "interacts": "the change does more, or less, in that company: the effects do not add up",
    "additive": "shown to differ by less than the margin: the effects add up",
    "undecided": "enough blocks, but neither could be shown",
}
"""Of an interaction; a main effect has the words of a comparison."""


def effect_table(comparison: Comparison) -> Table:
    """One row an effect; columns that no effect fills are left out."""
    unit = " points" if comparison.scale == 100 else ""
    columns = (
        "effect",
        "against",
        "alone → together",
        "blocks",
        f"Δ{unit} [{format_percent(1 - comparison.alpha)}]",
        "p (t)",
        "p (flip)",
        "p (Holm)",
        "verdict",
        "aliased with",
        "reason",
    )
    rows = [_row(effect, comparison.scale) for effect in comparison.effects.estimates]
    kept = [place for place, _ in enumerate(columns) if any(row[place] != NONE for row in rows)]
    return Table(
        title="Effects of the factors",
        columns=tuple(columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in rows),
        text=("effect", "against", "verdict", "aliased with", "reason"),
    )


def _row(effect: Effect, scale: int) -> tuple[str, ...]:
    return (
        effect.name,
        effect.against or NONE,
        _sides(effect, scale),
        str(effect.num_pairs),
        format_estimate(effect.delta, effect.ci_low, effect.ci_high, scale, is_signed=True),
        format_p(effect.p_corrected_t),
        format_p(effect.p_sign_flip),
        format_p(effect.p_holm),
        effect.verdict,
        ", ".join(effect.aliases) or NONE,
        effect.reason or NONE,
    )


def _sides(effect: Effect, scale: int) -> str:
    """`+2.1 → −0.4`: what the change does in the first company, then in the second."""
    deltas = [scale * part.delta for part in effect.parts]
    return " → ".join(format_signed(delta, num_decimals(*deltas)) for delta in deltas) or NONE


def effect_remarks(comparison: Comparison) -> list[str]:
    """How the effects came about, and which of them these arms cannot show."""
    effects, lines = comparison.effects, []
    has_main = any(effect.kind == "main" for effect in effects.estimates)
    if effects.estimates:
        lines.append(
            "An effect is one number on each block where all of its arms have finished, tested as "
            f"paired differences are; p (Holm) is over {plural(len(effects.estimates), 'effect')}. "
            f"{'A main effect is averaged over the other factors. ' if has_main else ''}"
            "An interaction (×) is how much more the first change does in the second's company."
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
