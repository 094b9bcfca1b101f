"""`compare_studies`: what studies share, compared across them.

Two questions are asked of each arm that the first study and another one have in common. Does it
reach more there (`levels`: its trials of both studies, paired by seed and fold)? And does it help
more there (`effects`: its difference to the arm it is compared with, there − here)?
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audiocls.errors import NotComparable
from audiocls.report.compare import compare, variance
from audiocls.report.pairing import usable
from audiocls.report.results import ArmResult, Comparison
from audiocls.report.studies.effects import effects_between, fingerprints
from audiocls.report.verdicts import judge
from audiocls.store.record import Cell, Record, Study

Known = tuple[Study, Mapping[str, Record]]
"""A study and its records by trial id."""


@dataclass(frozen=True)
class Across:
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
class Joint:
    """Several studies: each one's own answer, and the first one against each other one."""

    answers: tuple[Comparison, ...]
    across: tuple[Across, ...]

    @property
    def scale(self) -> int:
        """100 where the metric is told in points, in every study."""
        return min(answer.scale for answer in self.answers)


def compare_studies(studies: Sequence[Known]) -> Joint:
    """The first of the studies against each other one.

    Raises `NotComparable` where they are decided by different metrics, or share no arm.
    """
    _require_one_metric([study for study, _ in studies])
    answers = tuple(compare(study, records) for study, records in studies)
    first, *others = zip(studies, answers, strict=True)
    across = tuple(_across(*first, *other) for other in others)
    return Joint(answers, across)


def _require_one_metric(studies: Sequence[Study]) -> None:
    metrics = {study.name: (study.metric, study.goal) for study in studies}
    if len(set(metrics.values())) > 1:
        told = ", ".join(f"{name} by {metric} ({goal})" for name, (metric, goal) in metrics.items())
        raise NotComparable(f"studies are compared by one metric; got: {told}")


def _across(here: Known, answer: Comparison, there: Known, other: Comparison) -> Across:
    shared = [result.arm for result in answer.arms if result.arm in there[0].arms]
    if not shared:
        raise NotComparable(
            f"{answer.study} and {other.study} have no arm in common; "
            f"{answer.study}: {', '.join(here[0].arms)}; {other.study}: {', '.join(there[0].arms)}"
        )
    same = [arm for arm in shared if _is_same(here[0], there[0], arm)]
    ratio = variance(there[0], usable(*there))[0]
    levels = [_level(here, there, arm) for arm in shared if arm not in same]
    compared = [result for result in levels if result is not None]
    data = fingerprints(usable(*here)), fingerprints(usable(*there))
    effects = effects_between(answer, other, data, ratio)
    return Across(
        study=other.study,
        levels=tuple(judge(there[0], compared, ratio)),
        effects=tuple(judge(there[0], effects, ratio)),
        notes=tuple(_notes(same, [a for a in shared if a not in same], compared)),
    )


def _notes(same: Sequence[str], others: Sequence[str], compared: Sequence[ArmResult]) -> list[str]:
    found = {result.arm for result in compared}
    apart = [arm for arm in others if arm not in found]
    return [
        *([f"The same trials in both: {', '.join(same)}."] if same else []),
        *([f"No seed and fold in common: {', '.join(apart)}."] if apart else []),
    ]


def _is_same(here: Study, there: Study, arm: str) -> bool:
    return {c.id for c in here.cells if c.arm == arm} == {c.id for c in there.cells if c.arm == arm}


def _level(here: Known, there: Known, arm: str) -> ArmResult | None:
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
        secondary=(),
        cells=(*_moved(mine, blocks, before), *_moved(theirs, blocks, arm)),
    )
    return compare(pair, {**here[1], **there[1]}).compared[0]


def _moved(
    cells: Mapping[tuple[int, int], Cell], blocks: Sequence[tuple[int, int]], arm: str
) -> list[Cell]:
    return [replace(cells[block], arm=arm) for block in blocks]
