"""Studies compared with each other: sentences, tables, plain values and the document."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from audiocls.analysis.contrasts.cross_study import CrossStudyEffect, MultiStudyReport
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.formatting import format_estimate, plural
from audiocls.render.build.headline import headline
from audiocls.render.build.values import arm_to_json, to_json
from audiocls.render.build.verdicts import (
    REASON,
    difference,
    evidence_cells,
    evidence_columns,
    needless,
    verdict_table,
)
from audiocls.render.document import (
    Block,
    Command,
    Document,
    Figure,
    Headline,
    Note,
    Section,
    Text,
    Title,
)
from audiocls.render.figures import studies as figures
from audiocls.render.table import Cell, Column, Depth, Estimate, PValue, Table

LEVELS = {"better": "does better", "worse": "does worse"}
EFFECTS = {"better": "helps more", "worse": "helps less"}


def cross_study(joint: MultiStudyReport) -> Document:
    """Return the document: what differs between studies, and each study's own verdicts."""
    name = ", ".join(answer.study for answer in joint.answers)
    between: tuple[Block, ...] = (
        Figure(
            "effects",
            partial(figures.effects, joint),
            _figure_caption(joint),
            draw_narrow=partial(figures.effects, joint, is_narrow=True),
        ),
        *([effects_table(joint)] if joint.answers[0].compared else []),
    )
    blocks: list[Block] = [
        Title(name),
        *map(Headline, differences(joint)),
        *map(Note, remarks(joint)),
        Section("What each arm does in each study", between),
        *(_levels(joint, across) for across in joint.across if across.levels),
        *(_within_study(answer) for answer in joint.answers),
    ]
    return Document(
        name="-and-".join(answer.study for answer in joint.answers),
        blocks=tuple(blocks),
        data=partial(as_json, joint),
    )


def _figure_caption(joint: MultiStudyReport) -> str:
    return (
        "The mean difference of each arm to the one it is compared with, and its interval, in each "
        f"study. The shape says which study: {', '.join(figures.shapes(joint))}."
    )


def _levels(joint: MultiStudyReport, across: CrossStudyEffect) -> Section:
    first = joint.answers[0].study
    pairing = (
        f"Each arm of {across.study} minus the same arm of {first}, on the seeds and folds that "
        "both have."
    )
    return Section(
        f"The same arms in {across.study}, against those in {first}",
        (Text(pairing, Depth.PAGE), levels_table(joint, across)),
    )


def _within_study(answer: Comparison) -> Section:
    blocks: tuple[Block, ...] = (
        Text(headline(answer)),
        Text(answer.question, Depth.PAGE),
        _deep(verdict_table(answer)),
        *([Command(answer.command, Depth.PAGE)] if answer.command else []),
    )
    return Section(answer.study, blocks)


def _deep(table: Table) -> Table:
    """Return the table for deeper formats than a terminal, which has the verdicts elsewhere."""
    return replace(table, depth=Depth.TEXT)


def sentences(joint: MultiStudyReport) -> list[str]:
    """Return each study's own answer, and then what differs between them."""
    per_study = [f"{answer.study}: {headline(answer)}" for answer in joint.answers]
    return [*per_study, *differences(joint)]


def differences(joint: MultiStudyReport) -> list[str]:
    """Return one sentence for each study but the first: what is shown to be more or less there."""
    first = joint.answers[0].study
    return [_difference(first, across, joint.scale) for across in joint.across]


def _difference(first: str, across: CrossStudyEffect, scale: int) -> str:
    levels = [_clause(r, LEVELS, scale) for r in across.levels if r.verdict in LEVELS]
    effects = [_clause(r, EFFECTS, scale) for r in across.effects if r.verdict in EFFECTS]
    where = f"{across.study} against {first}{_shared_folds(across)}"
    if not levels + effects:
        return f"{where}: no arm is shown to do better or worse in either."
    return f"{where}: {'; '.join(levels + effects)}."


def _shared_folds(across: CrossStudyEffect) -> str:
    """Return ` over all 5 folds`, ` over the 2 of 5 folds that both have`; without any, nothing."""
    num, num_all = across.num_folds, across.num_all_folds or 0
    if across.scope == "data":
        return f" over all {num} folds"
    whose = {
        "folds": f" over the {num}{f' of {num_all}' if num < num_all else ''} folds",
        "split": " on the split",
        "clips": " on the test clips",
    }
    return f"{whose[across.scope]} that both have" if across.scope else ""


def _clause(result: ArmResult, words: Mapping[str, str], scale: int) -> str:
    span = format_estimate(result.delta, result.ci_low, result.ci_high, scale, is_signed=True)
    shown = f"{span}{' points' * (scale == 100)}, {plural(result.num_pairs, 'pair')}"
    return f"{result.arm} {words[result.verdict]} there ({shown})"


def effects_table(joint: MultiStudyReport) -> Table:
    """Return a row for each arm: its effect in each study, and whether it helps more there."""
    answers = joint.answers
    points = "points" if joint.scale == 100 else ""
    arms = dict.fromkeys(r.arm for answer in answers for r in answer.compared)
    columns = [Column("arm", "name")]
    for answer in answers:
        name = f"Δ {points}, {answer.study}" if points else f"Δ, {answer.study}"
        columns += [
            Column(name, level=answer.interval_level),
            Column(f"verdict, {answer.study}", "verdict"),
        ]
    for across in joint.across:
        columns += [
            Column(f"{across.study} − {answers[0].study}", unit=points, drop=2),
            Column("p (Holm) of that", drop=1),
            Column("verdict of that", "verdict"),
        ]
    return Table(
        columns=tuple(columns),
        rows=tuple((arm, *_effects_of(joint, arm)) for arm in arms),
        label=f"{'-'.join(answer.study for answer in answers)}-effects",
        caption=(
            "What each arm does in each study.",
            *differences(joint),
            *remarks(joint),
        ),
        claim="Holm's correction, within each study and over all comparisons between them",
    )


def _effects_of(joint: MultiStudyReport, arm: str) -> Iterator[Cell]:
    for answer in joint.answers:
        result = _result_of(answer.compared, arm)
        yield _shown(result, joint.scale)
        yield result.verdict if result else ""
    for across in joint.across:
        result = _result_of(across.effects, arm)
        yield _shown(result, joint.scale)
        yield PValue(result.p_holm if result else None)
        yield result.verdict if result else ""


def _shown(result: ArmResult | None, scale: int) -> Estimate:
    if result is None:
        return Estimate(None, None, None)
    return difference(result, scale, result.is_claim)


def _result_of(results: tuple[ArmResult, ...], arm: str) -> ArmResult | None:
    return next((result for result in results if result.arm == arm), None)


def levels_table(joint: MultiStudyReport, across: CrossStudyEffect) -> Table:
    """Return a row for each arm: its metric there − here, over the blocks that both have."""
    first = joint.answers[0]
    table = Table(
        columns=(
            Column("arm", "name"),
            Column("pairs", drop=7),
            *evidence_columns(first, f"{first.metric}, Δ"),
            Column("verdict", "verdict"),
            REASON,
        ),
        rows=tuple(
            (
                result.arm,
                str(result.num_pairs),
                *evidence_cells(result, joint.scale, result.is_claim),
                result.verdict,
                result.reason,
            )
            for result in across.levels
        ),
        label=f"{first.study}-{across.study}-levels",
        caption=(f"The same arms in {across.study}, against those in {first.study}.",),
        claim=f"Holm's correction for {plural(len(across.results), 'comparison')}",
    )
    return table.without(*needless(first, across.results))


def tables(joint: MultiStudyReport) -> list[Table]:
    """Return all tables of comparisons between studies that have a row."""
    every = [effects_table(joint), *(levels_table(joint, across) for across in joint.across)]
    return [table for table in every if table.rows]


def remarks(joint: MultiStudyReport) -> list[str]:
    """Return what a reader must know about the pairing, and about each study."""
    per_study = [f"{answer.study}: {note}" for answer in joint.answers for note in answer.notes]
    between = [f"{across.study}: {note}" for across in joint.across for note in across.notes]
    reasons = [
        f"{across.study}, {result.arm}: {result.reason}."
        for across in joint.across
        for result in across.effects
        if result.reason
    ]
    return [*per_study, *between, *dict.fromkeys(reasons)]


def as_json(joint: MultiStudyReport) -> dict[str, Any]:
    """Return plain values in units of the metric; every number is finite or `None`."""
    return {
        "studies": [to_json(answer) for answer in joint.answers],
        "headline": sentences(joint),
        "against": joint.answers[0].study,
        "across": [
            {
                "study": across.study,
                "scope": across.scope,
                "levels": [arm_to_json(joint.answers[0], result) for result in across.levels],
                "effects": [arm_to_json(joint.answers[0], result) for result in across.effects],
                "notes": list(across.notes),
            }
            for across in joint.across
        ],
    }
