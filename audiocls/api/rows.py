"""A study's trials, epochs and predictions as rows, one dict each."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.api.frames import flat
from audiocls.dotted import flatten
from audiocls.store import Cell, Damaged, Proposal, StudyFolder
from audiocls.studies.status import Status, status_of

Changes = Mapping[str, Mapping[str, Any]]
"""Arm → the dotted keys that it changes."""
KINDS = {"num_train": "clips/train", "num_val": "clips/val", "num_test": "clips/test"}


def trial_rows(folder: StudyFolder) -> Iterator[dict[str, Any]]:
    """Yield a row a trial: its place, state and parameters; metrics and costs where finished."""
    known = status_of(folder)
    records, arms = folder.records(known.cells), folder.study().arms
    varied = dict.fromkeys(name for cell in known.cells for name in _changes(arms, cell))
    for cell in known.cells:
        row = {**place_of(known, cell), "state": known.states[cell.id]}
        row |= {**varied, **_changes(arms, cell)}
        if (record := records.get(cell.id)) is not None:
            cost = {f"cost/{name}": value for name, value in asdict(record.cost).items()}
            clips = {name: getattr(record, field) for field, name in KINDS.items()}
            row |= {**record.metrics, **cost, **clips, "finished": record.provenance.finished}
        if (failure := known.failures.get(cell.id)) is not None:
            row |= {"cause": failure.cause, "message": failure.message}
        yield row


def place_of(known: Status, cell: Cell | Proposal) -> dict[str, Any]:
    """Return a trial's id with its arm, seed and fold; a search's trials have none."""
    arm = {"arm": cell.arm} if isinstance(cell, Cell) else {}
    return {"trial": cell.id, **arm, **known.block_of(cell)}


def _changes(arms: Changes, cell: Cell | Proposal) -> dict[str, Any]:
    """Return what is special about a trial: its arm's changes, or its parameters."""
    return flat(flatten(cell.parameters) if isinstance(cell, Proposal) else arms[cell.arm])


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
