"""The effects of factors, where the design tells them."""

from audiocls.analysis.results import Comparison, Effect
from audiocls.formatting import NONE, format_percent, plural
from audiocls.render.effect_table import effect_remarks
from audiocls.render.latex.escape import escaped
from audiocls.render.latex.sheet import (
    DAGGER,
    Sheet,
    dagger_told,
    explained,
    numbered,
    p_cell,
    with_half_width,
)

CLAIMS = ("better", "worse", "interacts")


def effects_sheet(comparison: Comparison) -> Sheet:
    """One row an effect; what a fraction confuses it with stands below by number."""
    effects = comparison.effects.estimates
    marks = numbered(_remark(effect) for effect in effects)
    unit = " (points)" if comparison.scale == 100 else ""
    return Sheet(
        label=f"{comparison.study}-effects",
        caption=_caption(comparison),
        columns=[
            ("l", "Effect"),
            ("l", "Against"),
            ("r", "Blocks"),
            ("r", rf"$\Delta${unit}"),
            ("r", "$p$"),
            ("l", "Verdict"),
        ],
        rows=[_row(effect, comparison.scale, marks) for effect in effects],
        notes=explained(marks),
    )


def _remark(effect: Effect) -> str:
    aliases = f"aliased with {', '.join(effect.aliases)}" if effect.aliases else ""
    return "; ".join(filter(None, [effect.reason, aliases]))


def _row(effect: Effect, scale: int, marks: dict[str, str]) -> list[str]:
    dagger = DAGGER if effect.verdict in CLAIMS else ""
    return [
        escaped(effect.name),
        escaped(effect.against or NONE),
        str(effect.num_pairs),
        with_half_width(effect.delta, effect.ci_low, effect.ci_high, scale, is_signed=True)
        + dagger,
        p_cell(effect.p_holm),
        effect.verdict.replace("_", " ") + marks.get(_remark(effect), ""),
    ]


def _caption(comparison: Comparison) -> list[str]:
    effects = comparison.effects.estimates
    level = format_percent(1 - comparison.alpha)
    told = [
        comparison.question,
        f"Effects of the factors on {comparison.metric} ± half of their {level} interval.",
        *effect_remarks(comparison),
    ]
    correction = f"{comparison.correction.capitalize()}'s correction"
    family = f"{correction} for {plural(len(effects), 'effect')}"
    has_claim = any(effect.verdict in CLAIMS for effect in effects)
    return [*map(escaped, told), *([dagger_told(family)] if has_claim else [])]
