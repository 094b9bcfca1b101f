"""Several studies as sentences, tables, Markdown and JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.analysis.contrasts.cross_study import CrossStudyEffect, MultiStudyReport
from audiocls.analysis.results import ArmResult
from audiocls.formatting import NONE, format_estimate, format_p, format_percent, plural
from audiocls.render.headline import headline
from audiocls.render.tables import Table, arm_to_json, escaped, markdown_table, to_json

LEVELS = {"better": "does better", "worse": "does worse"}
EFFECTS = {"better": "helps more", "worse": "helps less"}


def sentences(joint: MultiStudyReport) -> list[str]:
    """Each study's own answer, and then what differs between them."""
    own = [f"{answer.study}: {headline(answer)}" for answer in joint.answers]
    return [*own, *differences(joint)]


def differences(joint: MultiStudyReport) -> list[str]:
    """One sentence for each study but the first: what is shown to be more or less there."""
    first = joint.answers[0].study
    return [_difference(first, across, joint.scale) for across in joint.across]


def _difference(first: str, across: CrossStudyEffect, scale: int) -> str:
    levels = [_clause(r, LEVELS, scale) for r in across.levels if r.verdict in LEVELS]
    effects = [_clause(r, EFFECTS, scale) for r in across.effects if r.verdict in EFFECTS]
    if not levels + effects:
        return f"{across.study} against {first}: no arm is shown to do better or worse in either."
    return f"{across.study} against {first}: {'; '.join(levels + effects)}."


def _clause(result: ArmResult, words: Mapping[str, str], scale: int) -> str:
    span = format_estimate(result.delta, result.ci_low, result.ci_high, scale, is_signed=True)
    told = f"{span}{' points' * (scale == 100)}, {plural(result.num_pairs, 'pair')}"
    return f"{result.arm} {words[result.verdict]} there ({told})"


def effects_table(joint: MultiStudyReport) -> Table:
    """A row an arm: its effect in each study, and whether it helps more or less there."""
    answers = joint.answers
    unit = " points" if joint.scale == 100 else ""
    arms = dict.fromkeys(r.arm for answer in answers for r in answer.compared)
    columns = (
        "arm",
        *(
            column
            for a in answers
            for column in (f"Δ{unit}, {a.study} [{a.interval_level}]", f"verdict, {a.study}")
        ),
        *(
            column
            for a in joint.across
            for column in (f"{a.study} − {answers[0].study}", "p (Holm) of that", "verdict of that")
        ),
    )
    rows = tuple((arm, *_effects_of(joint, arm)) for arm in arms)
    return Table("What each arm does in each study", columns, rows, _text(columns))


def _effects_of(joint: MultiStudyReport, arm: str) -> Iterator[str]:
    for answer in joint.answers:
        found = [result for result in answer.compared if result.arm == arm]
        yield _span(found, joint.scale)
        yield found[0].verdict if found else NONE
    for across in joint.across:
        found = [result for result in across.effects if result.arm == arm]
        yield _span(found, joint.scale)
        yield format_p(found[0].p_holm) if found else NONE
        yield found[0].verdict if found else NONE


def _span(found: list[ArmResult], scale: int) -> str:
    if not found:
        return NONE
    return format_estimate(found[0].delta, found[0].ci_low, found[0].ci_high, scale, is_signed=True)


def levels_table(joint: MultiStudyReport, across: CrossStudyEffect) -> Table:
    """A row an arm: what it reaches there − here, over the seeds and folds that both have."""
    level, first = format_percent(1 - joint.answers[0].alpha), joint.answers[0]
    unit = " points" if joint.scale == 100 else ""
    columns = (
        "arm",
        "pairs",
        f"{first.metric}, Δ{unit} [{level}]",
        "p (t)",
        "p (flip)",
        "p (Holm)",
        "verdict",
        "reason",
    )
    rows = tuple(
        (
            result.arm,
            str(result.num_pairs),
            _span([result], joint.scale),
            format_p(result.p_corrected_t),
            format_p(result.p_sign_flip),
            format_p(result.p_holm),
            result.verdict,
            result.reason or NONE,
        )
        for result in across.levels
    )
    title = f"The same arms in {across.study}, against those in {first.study}"
    return Table(title, columns, rows)


def _text(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in columns if name == "arm" or name.startswith("verdict"))


def tables(joint: MultiStudyReport) -> list[Table]:
    """All tables that have a row."""
    found = [effects_table(joint), *(levels_table(joint, across) for across in joint.across)]
    return [table for table in found if table.rows]


def remarks(joint: MultiStudyReport) -> list[str]:
    """What a reader must know of the pairing, and of each study."""
    own = [f"{answer.study}: {note}" for answer in joint.answers for note in answer.notes]
    between = [f"{across.study}: {note}" for across in joint.across for note in across.notes]
    reasons = [
        f"{across.study}, {result.arm}: {result.reason}."
        for across in joint.across
        for result in across.effects
        if result.reason
    ]
    return [*own, *between, *dict.fromkeys(reasons)]


def to_markdown(joint: MultiStudyReport) -> str:
    """Sentences, tables and remarks, for a pull request or a README."""
    names = ", ".join(answer.study for answer in joint.answers)
    parts = [
        f"## {escaped(names)}",
        *(f"**{escaped(sentence)}**" for sentence in sentences(joint)),
        *(f"{escaped(table.title)}\n\n{markdown_table(table)}" for table in tables(joint)),
        *(f"Note: {escaped(remark)}" for remark in remarks(joint)),
    ]
    return "\n\n".join(parts) + "\n"


def as_json(joint: MultiStudyReport) -> dict[str, Any]:
    """Plain JSON in units of the metric; every number is finite or null."""
    return {
        "studies": [to_json(answer) for answer in joint.answers],
        "headline": sentences(joint),
        "against": joint.answers[0].study,
        "across": [
            {
                "study": across.study,
                "levels": [arm_to_json(result) for result in across.levels],
                "effects": [arm_to_json(result) for result in across.effects],
                "notes": list(across.notes),
            }
            for across in joint.across
        ],
    }
