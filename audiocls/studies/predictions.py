"""Saved predictions of a study's trials, as what recordings add to its metrics, or clip by clip."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.clips import Scored, scored
from audiocls.analysis.differences import InfluencesOf
from audiocls.analysis.influences import Influences, computed_as, influences_of, prepared
from audiocls.analysis.influences.predictions import Predictions
from audiocls.config.training import Training
from audiocls.design.ablation import on_test_clips
from audiocls.parts import KEPT
from audiocls.store import Damaged, Record, Study, StudyFolder

Arrays = Mapping[str, NDArray[Any]]
Made = TypeVar("Made")


def read_influences(
    folder: StudyFolder,
    study: Study,
    records: Mapping[str, Record],
    shared: "SharedNames | None" = None,
) -> Mapping[str, InfluencesOf]:
    """Return by metric of the study, and by trial id, what recordings add to it, or why not.

    `shared` has the recordings' names of earlier calls, where trials are read as they finish.
    """
    metrics = [study.metric, *(each.name for each in study.secondary)]
    influences: dict[str, dict[str, Influences | str]] = {metric: {} for metric in metrics}
    shared = shared or SharedNames()
    named = {metric: on_test_clips(metric) for metric in metrics}
    named_so = {m: _computed_as(folder, records, m) for m in metrics} if study.program else {}
    has_loss = any(on_test == "test/loss" for _, on_test in named.values())
    for trial in records:
        training = _training_of(folder, trial) if has_loss else None
        splits = dict.fromkeys(split for split, _ in named.values())
        every = {s: _made(folder, trial, partial(_prepared, s, training)) for s in splits}
        for metric, (split, on_test) in named.items():
            predictions = every[split]
            if isinstance(predictions, str):
                influences[metric][trial] = predictions
                continue
            name, scale = named_so.get(metric, (on_test, 1.0))
            each = influences_of(name, predictions)
            each = each if isinstance(each, str) else each.times(scale)
            influences[metric][trial] = each if isinstance(each, str) else shared(each)
    return influences


def _prepared(split: str, training: Training | None, arrays: Arrays) -> Predictions | str:
    """Return the predictions of one split of test clips, or why they cannot be used."""
    start = f"{split}/" if split.startswith("test:") else ""
    chosen = {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}
    return prepared(chosen, training)


def _computed_as(
    folder: StudyFolder, records: Mapping[str, Record], metric: str
) -> tuple[str, float]:
    """Return which metric of the predictions a program means by its own name, and on which scale.

    It is the one whose value it has in every trial; the program's own name where there is none.
    """
    left: list[tuple[str, float]] | None = None
    for trial, record in records.items():
        predictions = _made(folder, trial, prepared)
        value = record.metrics.get(metric)
        if isinstance(predictions, str) or value is None:
            continue
        fitting = computed_as(value, predictions)
        left = fitting if left is None else [each for each in left if each in fitting]
    return left[0] if left else (metric, 1.0)


def _training_of(folder: StudyFolder, trial: str) -> Training | None:
    """Return the options that decide the loss of a trial; `None` for another program's."""
    options = folder.trial(trial).config().get("train")
    return None if options is None else Training.model_validate(options, context=KEPT)


class SharedNames:
    """Keeps one array for all trials that are tested on the same recordings."""

    def __init__(self) -> None:
        self._known: dict[bytes, NDArray[np.str_]] = {}

    def __call__(self, influences: Influences) -> Influences:
        names = influences.recordings
        return replace(influences, recordings=self._known.setdefault(names.tobytes(), names))


def read_scored(folder: StudyFolder, trial: str) -> Scored | str:
    """Return a trial's predictions clip by clip, or why they cannot be used."""
    return _made(folder, trial, _scored)


def _scored(arrays: Arrays) -> Scored | str:
    if arrays["labels"].ndim > 1:
        return "clips of several labels are neither right nor wrong"
    return scored(arrays)


def _made(folder: StudyFolder, trial: str, make: Callable[[Arrays], Made]) -> Made | str:
    """Return what is made of a trial's arrays, or why it cannot be."""
    try:
        return make(folder.trial(trial).predictions())
    except FileNotFoundError:
        return "no predictions are kept"
    except KeyError as error:
        return f"the predictions lack {error}"
    except (Damaged, ValueError) as error:
        return f"the predictions cannot be read ({error})"
