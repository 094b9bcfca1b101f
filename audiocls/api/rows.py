"""A study's epochs and predictions as rows, one dict each; `studies.trials` has its trials."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.api.frames import flat
from audiocls.store import Damaged, StudyFolder
from audiocls.studies.status import status_of
from audiocls.studies.trials import place_of


def history_rows(folder: StudyFolder) -> Iterator[dict[str, Any]]:
    """Yield a row an epoch of each trial, in order."""
    known = status_of(folder)
    for cell in known.cells:
        place = place_of(known, cell)
        for row in folder.trial(cell.id).history():
            yield {**place, **flat(row)}


def prediction_rows(folder: StudyFolder) -> Iterator[dict[str, Any]]:
    """Yield a row a test clip of each trial that kept its predictions.

    `label` is the true one, of several those in the order of the classes with `|` between them;
    `predicted` is the likeliest, with its `probability`.
    """
    known = status_of(folder)
    for cell in known.cells:
        trial = folder.trial(cell.id)
        try:
            arrays = trial.predictions()
        except (FileNotFoundError, Damaged):
            continue
        place, names = place_of(known, cell), trial.class_names()
        for row in _clip_rows(arrays, names):
            yield {**place, **row}


def _clip_rows(arrays: dict[str, NDArray[Any]], names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield clip, source, label, predicted and probability. Shape: labels (N,) or (N, K)"""
    labels, logits = arrays["labels"], arrays["logits"].astype(float)
    is_multi_label = labels.ndim > 1
    if is_multi_label:
        probabilities = 1 / (1 + np.exp(-logits))
    else:
        odds = np.exp(logits - logits.max(1, keepdims=True))
        probabilities = odds / odds.sum(1, keepdims=True)
    known = arrays.get("classes", np.arange(logits.shape[1]))  # a program names its own
    classes = names or tuple(str(name) for name in known)
    likeliest = probabilities.argmax(1)
    for index, (clip, source) in enumerate(zip(arrays["clips"], arrays["sources"], strict=True)):
        numbers = np.flatnonzero(labels[index]) if is_multi_label else [int(labels[index])]
        best = int(likeliest[index])
        yield {
            "clip": str(clip),
            "source": str(source),
            "label": "|".join(classes[number] for number in numbers),
            "predicted": classes[best],
            "probability": float(probabilities[index, best]),
        }
