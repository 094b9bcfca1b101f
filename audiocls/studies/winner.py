"""The best trial of a search: what it reached on test clips, and where its model lies."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.ranking import Ranked, Ranking
from audiocls.audio.clips import FURTHER
from audiocls.store import Damaged, Record, StudyFolder
from audiocls.store.trial import TrialFolder


@dataclass(frozen=True, eq=False)
class Winner:
    """The trial ranked first, or all trials of the setting ranked first."""

    trial: str
    """Id of the one whose model to use: of a setting, the one that reached most."""
    path: Path
    num_trials: int
    metrics: dict[str, float]
    """`test/…`, and `test:NAME/…` of further test clips: means over the trials."""
    has_model: bool
    """Whether there is a checkpoint to evaluate, to predict with, and to export."""
    labels: tuple[str, ...] = ()
    confusion: NDArray[np.int64] | None = None
    """(K, K): test clips by true (row) and predicted class (column), summed over the trials; `None`
    for several labels a clip, and where predictions are unknown."""

    def most_confused(self, most: int) -> list[tuple[str, str, int]]:
        """Return up to `most` (true label, predicted label, clips), the most frequent first."""
        if self.confusion is None:
            return []
        wrong = self.confusion * ~np.eye(len(self.labels), dtype=bool)
        pairs = [(int(i), int(j)) for i, j in np.argwhere(wrong)]
        pairs.sort(key=lambda pair: -wrong[pair])
        return [(self.labels[i], self.labels[j], int(wrong[i, j])) for i, j in pairs[:most]]


def winner_of(folder: StudyFolder, ranking: Ranking) -> Winner | None:
    """Return the best of a ranking; `None` where nothing is ranked, or it has not finished."""
    if not ranking.scored:
        return None
    ranked = ranking.scored[0].trials or ranking.scored[:1]
    records = [r for each in ranked if (r := folder.trial(each.proposal.id).record()) is not None]
    if not records:
        return None
    finished = {record.id for record in records}
    best = _best([each for each in ranked if each.proposal.id in finished], ranking.goal)
    trial = folder.trial(best.proposal.id)
    labels, confusion = _confusion([folder.trial(record.id) for record in records])
    return Winner(
        trial=trial.id,
        path=trial.path,
        num_trials=len(records),
        metrics=_test_metrics(records),
        has_model=trial.checkpoint.exists(),
        labels=labels,
        confusion=confusion,
    )


def _best(trials: Sequence[Ranked], goal: str | None) -> Ranked:
    sign = 1.0 if goal == "maximize" else -1.0
    return max(trials, key=lambda each: -np.inf if each.value is None else sign * each.value)


def _test_metrics(records: Sequence[Record]) -> dict[str, float]:
    """Return the means of the metrics of test clips that every trial has."""
    common = [name for name in records[0].metrics if all(name in r.metrics for r in records)]
    tested = [name for name in common if _is_tested(name)]
    return {name: statistics.fmean(r.metrics[name] for r in records) for name in tested}


def _is_tested(metric: str) -> bool:
    split = metric.rpartition("/")[0]
    return split == "test" or FURTHER.fullmatch(split) is not None


def _confusion(
    trials: Sequence[TrialFolder],
) -> tuple[tuple[str, ...], NDArray[np.int64] | None]:
    """Return the labels and the matrix over the trials; nothing if one of them has no part."""
    names = trials[0].class_names()
    total = np.zeros((len(names), len(names)), dtype=np.int64)
    for trial in trials:
        try:
            arrays = trial.predictions()
        except (FileNotFoundError, Damaged):
            return (), None
        labels, logits = arrays["labels"], arrays["logits"]
        if labels.ndim > 1 or logits.shape[1] != len(names) or trial.class_names() != names:
            return (), None
        np.add.at(total, (labels, logits.argmax(1)), 1)
    return names, total
