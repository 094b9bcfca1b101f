"""Interim analyses (looks) of a study that grows until it is decided, replayed from its records.

A look follows after every seed. The arms that are still open are decided by errors that hold at
any time; an arm that is decided stays as it was decided, whatever is trained later for the arms
compared with it. An arm is given up where the effect that is wanted is out of sight.
"""

from collections.abc import Mapping
from dataclasses import replace

from audiocls import stats
from audiocls.analysis.contrasts.arms import decided_arms
from audiocls.analysis.family import Verdict
from audiocls.analysis.pairing import RecordGrid
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.formatting import scale_of
from audiocls.store.record import Study

UNDECIDED: tuple[Verdict, ...] = ("no_evidence", "too_few_pairs")
CLAIMS: tuple[Verdict, ...] = ("better", "worse")


def decided_by_looks(grid: RecordGrid) -> list[ArmResult]:
    """Return each arm as it was decided, or as the last look left it.

    An effect claimed at an earlier look is a rejected hypothesis, and so leaves Holm's family (the
    first true null to be rejected meets as many open ones as there are true nulls, at least); any
    other arm that is not looked at now stays in it with a p of 1.
    """
    study = grid.study
    results: dict[str, ArmResult] = {}
    for number, size in enumerate(study.looks, start=1):
        part = at_look(grid, number)
        due = [arm for arm in grid.compared if _is_due(part, arm, results, size)]
        claimed = [arm for arm in results if results[arm].verdict in CLAIMS]
        num_settled = len(grid.compared) - len(due) - len(claimed)
        for result in decided_arms(part, due, num_settled):
            is_futile = is_open(result) and _is_futile(part, result)
            results[result.arm] = replace(result, look=number, is_futile=is_futile)
    return [_with_state(study, results[arm]) for arm in grid.compared]


def at_look(grid: RecordGrid, number: int) -> RecordGrid:
    """Return the grid as it stood at that look, from 1."""
    return grid.narrowed(study_at_look(grid.study, number))


def first_look(study: Study) -> Study:
    """Return the study without what grew: all its arms on the same blocks."""
    return study_at_look(study, 1)


def study_at_look(study: Study, number: int) -> Study:
    """Return the study as it stood then; blocks count in the order in which they were planned."""
    blocks = set(study.blocks[: study.looks[number - 1]])
    cells = tuple(cell for cell in study.cells if cell.block in blocks)
    return replace(study, cells=cells, looks=study.looks[:number])


def _is_due(part: RecordGrid, arm: str, results: Mapping[str, ArmResult], size: int) -> bool:
    """Whether the arm is still open, and planned on all `size` blocks as its reference is."""
    if arm not in results:
        return True
    if not is_open(results[arm]):
        return False
    sides = (arm, part.study.reference_of(arm))
    return all(len(part.cells[side]) == size for side in sides)


def is_open(result: ArmResult) -> bool:
    """Whether a growing study goes on with the arm."""
    return result.verdict in UNDECIDED and not result.is_futile


def _is_futile(part: RecordGrid, result: ArmResult) -> bool:
    """Whether the effect that is wanted is out of the arm's sight."""
    wanted = part.study.wanted_effect
    if wanted is None or result.components is None:
        return False
    return bool(stats.is_futile(stats.stacked([result.components]), part.ratio, wanted)[0])


def _with_state(study: Study, result: ArmResult) -> ArmResult:
    """Return the result with when the arm was decided, or else whether anything is to come."""
    pairs = study.looks[result.look - 1]
    if result.is_futile:
        is_share = scale_of(study.goal, [result.mean or 0.0]) == 100
        wanted = study.wanted_effect or 0.0
        amount = f"{100 * wanted:g} points" if is_share else f"{wanted:g}"
        state = f"given up after {pairs} pairs: an effect of {amount} is out of sight"
    elif result.verdict in UNDECIDED:
        is_last = _next_size(study, result) > study.max_pairs
        state = f"{'stopped at the pair limit' if is_last else 'undecided'} after {pairs} pairs"
    elif result.verdict == "not_comparable":
        state = f"at look {result.look}"
    else:
        state = f"decided at look {result.look}"
    return replace(result, reason="; ".join(filter(None, [result.reason, state])))


def looks_note(study: Study) -> str:
    """Return how often the study was looked at, and how far it may grow."""
    num = len(study.looks)
    analyses = f"{num} interim analys{'es' if num > 1 else 'is'}"
    first, last = study.looks[0], study.looks[-1]
    sizes = f"with {first} to {last} pairs" if num > 1 else f"with {last} pairs"
    return (
        f"{analyses}, {sizes}; at most {study.max_pairs} are allowed. Errors hold at all looks "
        "together. An arm's numbers are those of the look that decided it."
    )


def _next_size(study: Study, result: ArmResult) -> int:
    if result.look < len(study.looks):
        return study.looks[result.look]
    return study.looks[-1] + len(study.folds)


def with_next_look(study: Study, comparison: Comparison, whole: Study) -> Study | None:
    """Return `study` with the next look's cells for every open arm and its reference.

    The cells are those of `whole`, which has every arm on all blocks that the budget allows. `None`
    where all is decided or the budget reached. A pure function of results: neither the hardware nor
    an interruption changes what is looked at when.
    """
    blocks = whole.blocks
    wanted: set[tuple[str, int, int]] = set()
    sizes = set(study.looks)
    for result in comparison.compared:
        size = _next_size(study, result)
        if not is_open(result) or size > study.max_pairs:
            continue
        sizes.add(size)
        sides = (result.arm, result.against)
        wanted |= {(arm, *block) for arm in sides for block in blocks[:size]}
    known = {(cell.arm, *cell.block) for cell in study.cells}
    missing = wanted - known
    new = tuple(cell for cell in whole.cells if (cell.arm, *cell.block) in missing)
    return replace(study, cells=(*study.cells, *new), looks=tuple(sorted(sizes))) if new else None
