"""Every arm against the one it is compared with."""

from audiocls.analysis.results import ArmResult, Comparison
from audiocls.formatting import NONE, plural
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
from audiocls.render.tables import method_text

CLAIMS = ("better", "worse")


def verdicts_sheet(comparison: Comparison) -> Sheet:
    """One row an arm, the baseline first; claims have a dagger, reasons a number."""
    marks = numbered(arm.reason for arm in comparison.arms)
    return Sheet(
        label=f"{comparison.study}-{comparison.metric}",
        caption=_caption(comparison),
        columns=_columns(comparison),
        rows=[_row(arm, comparison, marks) for arm in comparison.arms],
        notes=[*explained(marks), *_notes(comparison)],
    )


def _columns(comparison: Comparison) -> list[tuple[str, str]]:
    unit = (r" (\%)", " (points)") if comparison.scale == 100 else ("", "")
    return [
        ("l", "Arm"),
        *([("l", "Against")] if comparison.has_references else []),
        ("r", "Pairs"),
        ("r", escaped(comparison.metric) + unit[0]),
        ("r", rf"$\Delta${unit[1]}"),
        ("r", "$p$"),
        ("l", "Verdict"),
    ]


def _row(arm: ArmResult, comparison: Comparison, marks: dict[str, str]) -> list[str]:
    dagger = DAGGER if arm.verdict in CLAIMS else ""
    scale = comparison.scale
    return [
        escaped(arm.arm),
        *([escaped(arm.against or NONE)] if comparison.has_references else []),
        str(arm.num_pairs),
        with_half_width(arm.mean, arm.mean_ci_low, arm.mean_ci_high, scale),
        with_half_width(arm.delta, arm.ci_low, arm.ci_high, scale, is_signed=True) + dagger,
        p_cell(arm.p_holm),
        arm.verdict.replace("_", " ") + marks.get(arm.reason, ""),
    ]


def _caption(comparison: Comparison) -> list[str]:
    """What a reader needs to read the table without the text around it."""
    level = comparison.interval_level
    told = [
        comparison.question,
        f"Means and differences of {comparison.metric} ± half of their {level} interval.",
        method_text(comparison),
    ]
    family = plural(len(comparison.compared), "comparison")
    correction = f"{comparison.correction.capitalize()}'s correction for {family}"
    has_claim = any(arm.verdict in CLAIMS for arm in comparison.arms)
    return [*map(escaped, told), *([dagger_told(correction)] if has_claim else [])]


def _notes(comparison: Comparison) -> list[str]:
    """What is missing, and what the study says of itself."""
    done = comparison.num_expected - len(comparison.missing)
    share = f"{done} of {comparison.num_expected} trials finished."
    return [*([share] if comparison.missing else []), *map(escaped, comparison.notes)]
