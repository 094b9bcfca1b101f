"""`compare_clips`: saved predictions become gains and losses clip by clip.

The contrast is again an arm − its reference; its rows are recordings, and its families two: the
arms, and the classes of all arms.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from audiocls import stats
from audiocls.analysis.clips.results import (
    ArmClips,
    ChangedClip,
    ClassChange,
    ClipComparison,
    MeanPrediction,
)
from audiocls.analysis.clips.scored import Integers, Scored, SideBySide, side_by_side
from audiocls.analysis.pairing import Block, RecordGrid
from audiocls.store.record import Cell, Study

Read = Callable[[str], Scored | str]
"""By a trial's id: its predictions, or why they cannot be used."""


def compare_clips(
    study: Study,
    finished: Collection[str],
    read: Read,
    labels: Sequence[str] = (),
    refused: Mapping[str, str] = MappingProxyType({}),
) -> ClipComparison:
    """Compare every arm with its reference on the test clips of the blocks that both have finished.

    `finished` are ids of trials; `labels` names the classes, which else have numbers; `refused`
    are arms that may not be compared, with the reason. Clips are compared, not trainings: this
    says how these trained models differ on these recordings.
    """
    cells = RecordGrid(study, {}).cells
    unread: dict[str, tuple[Cell, str]] = {}

    def read_cell(cell: Cell) -> Scored | None:
        predictions = read(cell.id)
        if isinstance(predictions, Scored):
            return predictions
        unread[cell.id] = (cell, predictions)
        return None

    @lru_cache(maxsize=2)  # an arm is often the reference of the next one
    def predictions_of(arm: str) -> dict[Block, Scored]:
        done = {block: cell for block, cell in cells[arm].items() if cell.id in finished}
        of_blocks = {block: read_cell(cell) for block, cell in done.items()}
        return {block: each for block, each in of_blocks.items() if each is not None}

    def of_arm(arm: str) -> ArmClips:
        against = study.reference_of(arm)
        if reason := refused.get(arm):
            return ArmClips(arm, against, reason)
        return _of_arm(study, arm, predictions_of(against), predictions_of(arm), labels)

    arms = [of_arm(arm) for arm in study.arms if arm != study.baseline]
    return ClipComparison(study.name, study.alpha, _corrected(arms), tuple(unread.values()))


def _of_arm(
    study: Study,
    arm: str,
    references: Mapping[Block, Scored],
    own: Mapping[Block, Scored],
    labels: Sequence[str],
) -> ArmClips:
    against = study.reference_of(arm)
    common = [block for block in own if block in references]
    alike = [block for block in common if references[block].same_clips_as(own[block])]
    other = len(common) - len(alike)
    reason = f"not the same clips on {other} of {len(common)} blocks" if other else ""
    if not alike:
        return ArmClips(arm, against, reason or "no block on which both have predictions")
    both = side_by_side([(references[block], own[block]) for block in alike])
    result = ArmClips(arm, against, reason, num_blocks=len(alike))
    return _measured(result, both, study.alpha, _names(both, labels))


def _names(both: SideBySide, labels: Sequence[str]) -> list[str]:
    num_classes = both.probabilities[0].shape[1]
    if len(labels) == num_classes:
        return list(labels)
    return [f"class {number}" for number in range(num_classes)]


def _measured(result: ArmClips, both: SideBySide, alpha: float, names: Sequence[str]) -> ArmClips:
    sources, of_source = np.unique(both.sources, return_inverse=True)
    sums, counts = (_sums(of_source, values) for values in (both.gains, both.num_heard))
    interval = stats.bootstrap_interval(sums, counts, alpha)
    gained, lost = _changed(both, names, 1), _changed(both, names, -1)
    return replace(
        result,
        num_clips=len(both.clips),
        num_sources=len(sources),
        delta=float(both.gains.sum() / both.num_heard.sum()),
        ci_low=interval[0] if interval else None,
        ci_high=interval[1] if interval else None,
        p_clips=stats.mcnemar_p(both.gains),
        p_recordings=stats.mcnemar_p(sums),
        classes=_classes(both, of_source, names),
        gained=gained,
        lost=lost,
    )


def _sums(groups: Integers, values: Integers) -> Integers:
    return np.bincount(groups, weights=values).astype(np.int64)


def _classes(
    both: SideBySide, of_source: Integers, names: Sequence[str]
) -> tuple[ClassChange, ...]:
    return tuple(
        _class_change(both, of_source, both.labels == label, names[label])
        for label in np.unique(both.labels)
    )


def _class_change(
    both: SideBySide,
    of_source: Integers,
    is_of_class: NDArray[np.bool_],
    name: str,
) -> ClassChange:
    num_answers = both.num_heard[is_of_class].sum()
    before, after = (float(right[is_of_class].sum() / num_answers) for right in both.num_right)
    sums = _sums(of_source[is_of_class], both.gains[is_of_class])
    return ClassChange(name, int(is_of_class.sum()), before, after, stats.mcnemar_p(sums))


def _changed(both: SideBySide, names: Sequence[str], sign: int) -> tuple[ChangedClip, ...]:
    """Return clips that changed to one side: by share of seeds, then by the truth's probability."""
    rows = np.arange(len(both.clips))
    reference, arm = (side[rows, both.labels] for side in both.probabilities)
    order = np.lexsort((-sign * (arm - reference), -sign * both.gains / both.num_heard))
    return tuple(_clip(both, names, i) for i in order if sign * both.gains[i] > 0)


def _clip(both: SideBySide, names: Sequence[str], index: int) -> ChangedClip:
    def prediction(side: int) -> MeanPrediction:
        row = both.probabilities[side][index]
        likeliest = int(row.argmax())
        right = int(both.num_right[side][index])
        return MeanPrediction(names[likeliest], round(float(row[likeliest]), 4), right)

    return ChangedClip(
        clip=str(both.clips[index]),
        source=str(both.sources[index]),
        truth=names[both.labels[index]],
        num_heard=int(both.num_heard[index]),
        before=prediction(0),
        after=prediction(1),
    )


def _corrected(arms: Sequence[ArmClips]) -> tuple[ArmClips, ...]:
    """Correct over two families: the arms, and the classes of all arms.

    An arm without clips is in neither.
    """
    tested = [arm.p_recordings for arm in arms if arm.p_recordings is not None]
    of_arms = iter(stats.holm(tested))
    of_classes = iter(stats.holm([change.p for arm in arms for change in arm.classes]))
    return tuple(
        replace(
            arm,
            p_holm=next(of_arms) if arm.p_recordings is not None else None,
            classes=tuple(replace(each, p_holm=next(of_classes)) for each in arm.classes),
        )
        for arm in arms
    )
