"""Whether an arm helps more in one study than in another, on the blocks that both have."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from audiocls.analysis.measured import with_statistics
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.store.record import Record

Block = tuple[int, int]


def effects_between(
    here: Comparison,
    there: Comparison,
    data: tuple[set[str], set[str]],
    ratio: float,
    same: Collection[str],
) -> list[ArmResult]:
    """One result an arm that both compare with its reference, not yet put into a word.

    `data` holds the fingerprints behind each study: blocks of different data are no pairs. `same`
    are arms whose trials are the same in both: two of them make the same effect.
    """
    mine = {result.arm: result for result in here.compared}
    both = [
        (mine[result.arm], result)
        for result in there.compared
        if result.arm in mine and not {result.arm, result.against} <= {*same}
    ]
    is_same_data = data[0] == data[1]
    return [_between(here.study, *pair, is_same_data, ratio, here.alpha) for pair in both]


def fingerprints(records: Mapping[str, Record]) -> set[str]:
    """Of the data that the records come from."""
    return {record.provenance.data for record in records.values()}


def _between(
    study: str, mine: ArmResult, other: ArmResult, is_same_data: bool, ratio: float, alpha: float
) -> ArmResult:
    step = max(mine.step, other.step)
    blank = ArmResult(other.arm, other.changes, 0, None, None, None, step=step, against=study)
    own, theirs = _by_block(mine), _by_block(other)
    shared = [block for block in theirs if block in own]
    reason = _objection(mine, other, is_same_data, has_shared=bool(shared))
    if reason:
        return replace(blank, verdict="not_comparable", reason=reason)
    differences = ((*block, round(theirs[block] - own[block], 12)) for block in shared)
    return with_statistics(blank, tuple(differences), ratio, alpha)


def _objection(mine: ArmResult, other: ArmResult, is_same_data: bool, has_shared: bool) -> str:
    if "not_comparable" in (mine.verdict, other.verdict):
        return "it has no effect to compare in one of the studies"
    if mine.against != other.against:
        return f"compared with {mine.against} in one study and {other.against} in the other"
    if not is_same_data:
        return "different data: its effects stand side by side, but no seed and fold pairs them"
    return "" if has_shared else "no seed and fold in common"


def _by_block(result: ArmResult) -> dict[Block, float]:
    return {(seed, fold): difference for seed, fold, difference in result.differences}
