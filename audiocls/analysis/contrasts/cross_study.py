"""`compare_studies`: what studies share, compared across them.

Two contrasts are made of each arm that the first study and another one have in common. Does it
reach more there (`levels`: its trials of both studies, paired by seed and fold)? And does it help
more there (`effects`: its difference to its reference, there − here)? Both are one family.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audiocls.analysis.compare import NO_INFLUENCES, compare
from audiocls.analysis.contrasts.arms import measured_arm
from audiocls.analysis.differences import InfluencesOf
from audiocls.analysis.interim import first_look
from audiocls.analysis.pairing import RecordGrid
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.analysis.rule import Rule
from audiocls.analysis.scope import Scope, num_all_folds, scope_of
from audiocls.errors import NotComparable
from audiocls.formatting import plural
from audiocls.store.record import Record, Study


@dataclass(frozen=True)
class StudyRecords:
    """A study, its records by trial id, and the influences of recordings by metric and trial."""

    study: Study
    records: Mapping[str, Record]
    influences: Mapping[str, InfluencesOf] = field(default_factory=lambda: NO_INFLUENCES)


@dataclass(frozen=True)
class CrossStudyEffect:
    """The first study and one other: arms that both have, in the first one's order."""

    study: str
    levels: tuple[ArmResult, ...]
    """The arm there − the arm here. Empty if the two share no block."""
    effects: tuple[ArmResult, ...]
    """The arm's effect there − its effect here."""
    notes: tuple[str, ...]
    scope: Scope | None
    """What its verdicts apply to; `None` where no seed and fold is in both."""
    num_folds: int
    """In both."""
    num_all_folds: int | None
    """Of the data set; `None` if unknown."""

    @property
    def results(self) -> tuple[ArmResult, ...]:
        """Everything that was compared, or could not be."""
        return (*self.levels, *self.effects)


@dataclass(frozen=True)
class MultiStudyReport:
    """Several studies: each one's own comparison, and the first one against each other one."""

    answers: tuple[Comparison, ...]
    across: tuple[CrossStudyEffect, ...]

    @property
    def scale(self) -> int:
        """100 where the metric is written in points, in every study."""
        return min(answer.scale for answer in self.answers)


def compare_studies(studies: Sequence[StudyRecords]) -> MultiStudyReport:
    """Compare the first of the studies with each other one.

    Raises `NotComparable` where they are decided by different metrics, or share no arm.
    """
    _require_one_metric([each.study for each in studies])
    answers = tuple(
        compare(each.study, each.records, influences=each.influences) for each in studies
    )
    first, *others = studies
    return MultiStudyReport(answers, tuple(_across(first, other) for other in others))


def _require_one_metric(studies: Sequence[Study]) -> None:
    metrics = {study.name: (study.metric, study.goal) for study in studies}
    if len(set(metrics.values())) > 1:
        got = ", ".join(f"{name} by {metric} ({goal})" for name, (metric, goal) in metrics.items())
        raise NotComparable(f"studies are compared by one metric; got: {got}")


def _across(first: StudyRecords, other: StudyRecords) -> CrossStudyEffect:
    """Compare two studies: one family, by the first study's α and margin."""
    one, two = first.study, other.study
    arms = list(dict.fromkeys((one.baseline, *one.arms)))
    shared = [arm for arm in arms if arm in two.arms]
    if not shared:
        raise NotComparable(
            f"{one.name} and {two.name} have no arm in common; "
            f"{one.name}: {', '.join(arms)}; {two.name}: {', '.join(two.arms)}"
        )
    here, there = (_fixed(known, one) for known in (first, other))
    same = [arm for arm in shared if _is_same(here.study, there.study, arm)]
    levels = [level for arm in shared if arm not in same and (level := _level(here, there, arm))]
    apart = [arm for arm in shared if arm not in {*same, *(result.arm for result in levels)}]
    is_same_data = _fingerprints(here) == _fingerprints(there)
    effects = [
        _effect(here, there, arm, is_same_data)
        for arm in there.compared
        if arm in here.compared and not {arm, there.study.reference_of(arm)} <= {*same}
    ]
    rule = replace(Rule.of(there), ratio=max(here.ratio, there.ratio))
    decided = rule.decided([*levels, *effects])
    return CrossStudyEffect(
        study=two.name,
        levels=tuple(decided[: len(levels)]),
        effects=tuple(decided[len(levels) :]),
        notes=tuple(_notes(one, two, same, apart, len(decided))),
        **_scope(there, decided),
    )


def _scope(there: RecordGrid, decided: Sequence[ArmResult]) -> dict[str, Any]:
    """Return the scope of what was compared, by the folds that both studies have."""
    folds = {fold for result in decided for _, fold, _ in result.differences}
    cells = tuple(cell for cell in there.study.cells if cell.fold in folds)
    part = there.narrowed(replace(there.study, cells=cells))
    has_recordings = not any(r.without_recordings for r in decided if r.components)
    return {
        "scope": scope_of(part, has_recordings) if folds else None,
        "num_folds": len(folds),
        "num_all_folds": num_all_folds(part) if folds else None,
    }


def _fixed(known: StudyRecords, rule: Study) -> RecordGrid:
    """Return the part of a study whose size depends on no result, to be decided as `rule` is."""
    study = known.study
    part = replace(first_look(study), looks=(), max_pairs=0) if study.looks else study
    like_rule = replace(part, alpha=rule.alpha, margin=rule.margin)
    influences = known.influences.get(study.metric, {})
    return RecordGrid.of(like_rule, known.records, influences=influences)


def _notes(
    first: Study, other: Study, same: Sequence[str], apart: Sequence[str], num_compared: int
) -> Iterator[str]:
    if same:
        yield f"The same trials in both: {', '.join(same)}."
    if apart:
        yield f"No seed and fold in common: {', '.join(apart)}."
    for study in (first, other):
        if study.looks:
            yield (
                f"{study.name} grew until it was decided: its first look alone is compared across "
                "studies, for what came later depends on what was seen."
            )
    if num_compared:
        family = plural(num_compared, "comparison")
        yield f"p (Holm) is over all {family} of {other.name} with {first.name}."


def _is_same(here: Study, there: Study, arm: str) -> bool:
    """Whether the blocks that both planned, if any, are the same trials."""
    mine, theirs = ({c.block: c.id for c in s.cells if c.arm == arm} for s in (here, there))
    common = mine.keys() & theirs.keys()
    return bool(common) and all(mine[block] == theirs[block] for block in common)


def _level(here: RecordGrid, there: RecordGrid, arm: str) -> ArmResult | None:
    """Return the arm there − the arm here, on the blocks that both planned; `None` without one.

    The two are compared as arms of one study are.
    """
    mine, theirs = here.cells[arm], there.cells[arm]
    before = f"{arm} in {here.study.name}"
    common = [(mine[block], theirs[block]) for block in mine if block in theirs]
    if not common:
        return None
    both = replace(
        there.study,
        baseline=before,
        arms={before: here.study.arms[arm], arm: there.study.arms[arm]},
        references={},
        cells=(*(replace(own, arm=before) for own, _ in common), *(other for _, other in common)),
    )
    causes = {**here.causes, **there.causes}
    influences = {**here.influences, **there.influences}
    grid = RecordGrid.of(both, {**here.records, **there.records}, causes, influences)
    return measured_arm(grid, arm, Rule.of(grid))


def _effect(here: RecordGrid, there: RecordGrid, arm: str, is_same_data: bool) -> ArmResult:
    """Return the arm's effect there − its effect here, on the blocks that have both effects."""
    rule = replace(Rule.of(there), ratio=max(here.ratio, there.ratio))
    mine, other = (measured_arm(grid, arm, Rule.of(grid)) for grid in (here, there))
    blank = ArmResult(
        kind="comparison",
        arm=arm,
        changes=other.changes,
        against=here.study.name,
        step=max(mine.step, other.step),
    )
    ours, theirs = (
        grid.differences({arm: 1.0, result.against: -1.0})
        for grid, result in ((here, mine), (there, other))
    )
    differences = theirs.minus(ours)
    reason = _objection(mine, other, is_same_data, has_shared=bool(differences.values))
    if reason:
        return replace(blank, verdict="not_comparable", reason=reason)
    return rule.measured(blank, differences)


def _objection(mine: ArmResult, other: ArmResult, is_same_data: bool, has_shared: bool) -> str:
    if "not_comparable" in (mine.verdict, other.verdict):
        return "it has no effect to compare in one of the studies"
    if mine.against != other.against:
        return f"compared with {mine.against} in one study and {other.against} in the other"
    if not is_same_data:
        return "different data: its effects are shown side by side, but no seed and fold pairs them"
    return "" if has_shared else "no seed and fold in common"


def _fingerprints(grid: RecordGrid) -> set[str]:
    """Return the fingerprints of the data behind a study's records: other data makes no pairs."""
    return {record.provenance.data for record in grid.records.values()}
