"""Looks: a study that grows until it is decided, replayed from its records alone.

At each look the arms that are still open are judged at the level that the look may spend; an arm
that is decided stays as it was decided, whatever is trained later for the arms compared with it.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from audiocls import stats
from audiocls.analysis.results import ArmResult, Comparison, Verdict
from audiocls.store.record import Study

Judge = Callable[[Study, Collection[str], int], list[ArmResult]]
"""Results of some arms of a study, given how many others count in the family with a p of 1."""

UNDECIDED: tuple[Verdict, ...] = ("no_evidence", "too_few_pairs")
CLAIMS: tuple[Verdict, ...] = ("better", "worse")


def by_looks(study: Study, judge: Judge) -> list[ArmResult]:
    """Each arm as it was decided, or as the last look left it.

    An effect claimed at an earlier look is a rejected hypothesis, and so leaves Holm's family (the
    first true null to be rejected meets as many open ones as there are true nulls, at least); any
    other arm that is not looked at now stays in it with a p of 1.
    """
    others = [arm for arm in study.arms if arm != study.baseline]
    results: dict[str, ArmResult] = {}
    levels = stats.spending(study.alpha, study.looks, len(others))
    for number, alpha in enumerate(levels, start=1):
        part = _at_look(study, number, alpha)
        due = [arm for arm in others if arm not in results or _is_due(study, results[arm], part)]
        claimed = [arm for arm in results if results[arm].verdict in CLAIMS]
        for result in judge(part, due, len(others) - len(due) - len(claimed)):
            results[result.arm] = replace(result, look=number, alpha=alpha)
    return [_with_state(study, results[arm]) for arm in others]


def first_look(study: Study) -> Study:
    """The study without what grew: all its arms on the same blocks."""
    return _at_look(study, 1, study.alpha)


def _at_look(study: Study, number: int, alpha: float) -> Study:
    """The study as it stood then; blocks count in the order in which they were planned."""
    then = set(study.blocks[: study.looks[number - 1]])
    cells = tuple(cell for cell in study.cells if cell.block in then)
    return replace(study, cells=cells, alpha=alpha, looks=study.looks[:number])


def _is_due(study: Study, before: ArmResult, part: Study) -> bool:
    """Whether the arm is still open, and it and what it is compared with were planned so far."""
    if before.verdict not in UNDECIDED:
        return False
    sides = (before.arm, study.reference_of(before.arm))
    planned = {side: {cell.block for cell in part.cells if cell.arm == side} for side in sides}
    return all(len(blocks) == part.looks[-1] for blocks in planned.values())


def _with_state(study: Study, result: ArmResult) -> ArmResult:
    """Says when the arm was decided, or else whether anything is still to come."""
    pairs = study.looks[result.look - 1]
    if result.verdict in UNDECIDED:
        is_last = _next_size(study, result) > study.max_pairs
        state = f"{'out of budget' if is_last else 'still open'} after {pairs} pairs"
    elif result.verdict == "not_comparable":
        state = f"at look {result.look}"
    else:
        state = f"decided at look {result.look}, α = {result.alpha:.3g}"
    return replace(result, reason="; ".join(filter(None, [result.reason, state])))


def looks_note(study: Study) -> str:
    """How often the study was looked at, and how far it may grow."""
    *before, last = map(str, study.looks)
    sizes = f"{', '.join(before)} and {last}" if before else last
    often = "once" if not before else f"{len(study.looks)} times"
    return (
        f"Looked at {often}, with {sizes} pairs; at most {study.max_pairs} are allowed. An arm's "
        "numbers are those of the look that decided it."
    )


def _next_size(study: Study, result: ArmResult) -> int:
    if result.look < len(study.looks):
        return study.looks[result.look]
    return stats.next_look_size(study.looks[-1], len(study.folds))


def with_next_look(study: Study, comparison: Comparison, whole: Study) -> Study | None:
    """`study` with the next look's cells for every open arm and the arm it is compared with.

    The cells are those of `whole`, which has every arm on all blocks that the budget allows. `None`
    where all is decided or the budget reached. A pure function of results: neither the hardware nor
    an interruption changes what is looked at when.
    """
    blocks = whole.blocks
    wanted: set[tuple[str, int, int]] = set()
    sizes = set(study.looks)
    for result in comparison.compared:
        size = _next_size(study, result)
        if result.verdict not in UNDECIDED or size > study.max_pairs:
            continue
        sizes.add(size)
        sides = (result.arm, result.against)
        wanted |= {(arm, *block) for arm in sides for block in blocks[:size]}
    known = {(cell.arm, *cell.block) for cell in study.cells}
    places = wanted - known
    new = tuple(cell for cell in whole.cells if (cell.arm, *cell.block) in places)
    return replace(study, cells=(*study.cells, *new), looks=tuple(sorted(sizes))) if new else None
