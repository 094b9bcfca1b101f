"""`compare_studies`: what studies share, compared across them.

Two questions are asked of each arm that the first study and another one have in common. Does it
reach more there (`levels`: its trials of both studies, paired by seed and fold)? And does it help
more there (`effects`: its difference to the arm it is compared with, there − here)?
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from audiocls.analysis.compare import compare, variance
from audiocls.analysis.cross_study.effects import effects_between, fingerprints
from audiocls.analysis.interim import first_look
from audiocls.analysis.pairing import usable
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.analysis.verdicts import assign_verdicts
from audiocls.errors import NotComparable
from audiocls.formatting import plural
from audiocls.store.record import Cell, Record, Study

StudyRecords = tuple[Study, Mapping[str, Record]]
"""A study and its records by trial id."""


@dataclass(frozen=True)
class CrossStudyEffect:
    """The first study and one other: arms that both have, in the first one's order."""

    study: str
    levels: tuple[ArmResult, ...]
    """The arm there − the arm here. Empty if the two share no block."""
    effects: tuple[ArmResult, ...]
    """The arm's effect there − its effect here."""
    notes: tuple[str, ...]

    @property
    def results(self) -> tuple[ArmResult, ...]:
        """Everything that was compared, or could not be."""
        return (*self.levels, *self.effects)


@dataclass(frozen=True)
class MultiStudyReport:
    """Several studies: each one's own answer, and the first one against each other one."""

    answers: tuple[Comparison, ...]
    across: tuple[CrossStudyEffect, ...]

    @property
    def scale(self) -> int:
        """100 where the metric is told in points, in every study."""
        return min(answer.scale for answer in self.answers)


def compare_studies(studies: Sequence[StudyRecords]) -> MultiStudyReport:
    """The first of the studies against each other one.

    Raises `NotComparable` where they are decided by different metrics, or share no arm.
    """
    _require_one_metric([study for study, _ in studies])
    answers = tuple(compare(study, records) for study, records in studies)
    first, *others = studies
    return MultiStudyReport(answers, tuple(_across(first, other) for other in others))


def _require_one_metric(studies: Sequence[Study]) -> None:
    metrics = {study.name: (study.metric, study.goal) for study in studies}
    if len(set(metrics.values())) > 1:
        told = ", ".join(f"{name} by {metric} ({goal})" for name, (metric, goal) in metrics.items())
        raise NotComparable(f"studies are compared by one metric; got: {told}")


def _across(first: StudyRecords, other: StudyRecords) -> CrossStudyEffect:
    """One family, by the first study's α and margin."""
    arms = list(dict.fromkeys((first[0].baseline, *first[0].arms)))
    shared = [arm for arm in arms if arm in other[0].arms]
    if not shared:
        raise NotComparable(
            f"{first[0].name} and {other[0].name} have no arm in common; "
            f"{first[0].name}: {', '.join(arms)}; {other[0].name}: {', '.join(other[0].arms)}"
        )
    here, there = _fixed(first, first[0]), _fixed(other, first[0])
    same = [arm for arm in shared if _is_same(here[0], there[0], arm)]
    levels = [_level(here, there, arm) for arm in shared if arm not in same]
    compared = [result for result in levels if result is not None]
    apart = [arm for arm in shared if arm not in {*same, *(result.arm for result in compared)}]
    ratio = max(variance(study, usable(study, records))[0] for study, records in (here, there))
    data = fingerprints(usable(*here)), fingerprints(usable(*there))
    effects = effects_between(compare(*here), compare(*there), data, ratio, same)
    judged = assign_verdicts(there[0], [*compared, *effects], ratio)
    return CrossStudyEffect(
        study=other[0].name,
        levels=tuple(judged[: len(compared)]),
        effects=tuple(judged[len(compared) :]),
        notes=tuple(_notes(first[0], other[0], same, apart, len(judged))),
    )


def _fixed(known: StudyRecords, rule: Study) -> StudyRecords:
    """The part of a study whose size no result had a part in, to be judged as `rule` is."""
    study, records = known
    part = replace(first_look(study), looks=(), max_pairs=0) if study.looks else study
    return replace(part, alpha=rule.alpha, margin=rule.margin, secondary=()), records


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


def _level(here: StudyRecords, there: StudyRecords, arm: str) -> ArmResult | None:
    """The arm of both studies as if it were two arms of one, on the blocks that both planned."""
    cells = {
        known[0].name: {c.block: c for c in known[0].cells if c.arm == arm}
        for known in (here, there)
    }
    mine, theirs = cells.values()
    blocks = [block for block in mine if block in theirs]
    if not blocks:
        return None
    before = f"{arm} in {here[0].name}"
    pair = replace(
        there[0],
        baseline=before,
        arms={before: here[0].arms[arm], arm: there[0].arms[arm]},
        references={},
        cells=(*_moved(mine, blocks, before), *_moved(theirs, blocks, arm)),
    )
    return compare(pair, {**here[1], **there[1]}).compared[0]


def _moved(
    cells: Mapping[tuple[int, int], Cell], blocks: Sequence[tuple[int, int]], arm: str
) -> list[Cell]:
    return [replace(cells[block], arm=arm) for block in blocks]
