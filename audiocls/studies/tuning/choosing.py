"""What each arm chooses for itself: the candidate that did best on validation clips.

The records hold scores on test clips too; nothing here reads them.
"""

import math
from collections.abc import Iterable, Sequence

from audiocls.design.tuning import Candidate, arm_of
from audiocls.store import Cell, Choice, Failure, Record, Study, StudyFolder

DIVERGED = "nan"
"""The one failure that says something of the candidate and not of the machine."""

Ending = Record | Failure | None


def choices_of(study: Study, folder: StudyFolder, candidates: Sequence[Candidate]) -> list[Choice]:
    """Return what every arm chose for every fold of which the tuning study `study` has trials."""
    trials: dict[tuple[str, int], list[Cell]] = {}
    for cell in study.cells:
        trials.setdefault((arm_of(cell.arm), cell.fold), []).append(cell)
    return [
        _choice(arm, fold, [_ending(folder, cell) for cell in cells], study, candidates)
        for (arm, fold), cells in trials.items()
    ]


def _ending(folder: StudyFolder, cell: Cell) -> Ending:
    trial = folder.trial(cell.id)
    return trial.record() or trial.failure()


def _choice(
    arm: str, fold: int, endings: Sequence[Ending], study: Study, candidates: Sequence[Candidate]
) -> Choice:
    """Return the best, the first of equals; none before every candidate has had its trial."""
    missed = [end for end in endings if not isinstance(end, Record) and not _has_diverged(end)]
    num_finished = len(endings) - len(missed)
    scores = _scores(endings, study.metric)
    if missed:
        reason = f"{len(missed)} of {len(endings)} tuning trials did not finish{_why(missed)}"
        return Choice(arm, fold, num_finished, reason=reason)
    if not scores:
        return Choice(arm, fold, num_finished, reason="every tuning trial diverged")
    sign = 1 if study.goal == "maximize" else -1
    best = max(scores, key=lambda index: sign * scores[index])
    return Choice(arm, fold, num_finished, best + 1, candidates[best], scores[best])


def _scores(endings: Sequence[Ending], metric: str) -> dict[int, float]:
    """Return index of a candidate → score, in order; one without a number there diverged too."""
    scores = {
        i: end.metrics.get(metric) for i, end in enumerate(endings) if isinstance(end, Record)
    }
    return {i: value for i, value in scores.items() if value is not None and math.isfinite(value)}


def _has_diverged(end: Ending) -> bool:
    return isinstance(end, Failure) and end.cause == DIVERGED


def _why(missed: Iterable[Ending]) -> str:
    causes = [f" ({end.cause}: {end.message})" for end in missed if isinstance(end, Failure)]
    return causes[0] if causes else ""


def blocking_trials(folder: StudyFolder) -> list[str]:
    """Return the failed trials for which nothing can be chosen; one that diverged has ended."""
    failures = folder.failures(folder.cells())
    return [trial_id for trial_id, failure in failures.items() if not _has_diverged(failure)]


def load_choices(folder: StudyFolder, study: Study) -> list[Choice]:
    """Return what the arms of `study` chose in an earlier launch of the very same question."""
    before = folder.study() if folder.exists() else None
    if before is None or before.tuning is None or before.recipe != study.recipe:
        return []
    same = [arm for arm in study.arms if before.identities.get(arm) == study.identities[arm]]
    chosen = [choice for arm in same for choice in before.tuning.of(arm).values()]
    return [choice for choice in chosen if choice.values is not None]
