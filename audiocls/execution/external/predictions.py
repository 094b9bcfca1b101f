"""A program's predictions for its test clips, as the arrays that a trial keeps.

A CSV or an NPZ file with the columns `clip`, `label`, and `predicted` or `logits` (N, K); in a CSV
the logits are columns `logits_0`, `logits_1`, …. `source`, the recording that a clip was cut from,
is the clip itself where it is left out. Legend: N clips, K classes.
"""

import csv
import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.errors import DataError, did_you_mean

Arrays = dict[str, NDArray[Any]]
COLUMNS = ("clip", "label", "predicted", "logits", "source")
WANTED = f"wanted: {', '.join(COLUMNS[:2])}, and predicted or logits; source if clips share one"


def read_predictions(file: Path) -> Arrays | None:
    """Return what lies at `file`, with an ending or without; `None` where nothing does.

    Raises `DataError` for predictions that cannot be used.
    """
    places = (file, *(file.with_name(f"{file.name}{ending}") for ending in (".npz", ".csv")))
    predictions_file = next((place for place in places if place.is_file()), None)
    if predictions_file is None:
        return None
    try:
        columns = (
            _of_npz(predictions_file)
            if zipfile.is_zipfile(predictions_file)
            else _of_csv(predictions_file)
        )
    except (OSError, ValueError, KeyError, csv.Error, zipfile.BadZipFile) as error:
        raise DataError(f"{predictions_file}: cannot be read ({error}); {WANTED}") from error
    return _arrays(columns, predictions_file)


def digest_of_clips(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return 12 hex digits over clips, their labels and the classes, in the order of the clips."""
    order = np.argsort(arrays["clips"], kind="stable")
    content = [arrays[name][order].tolist() for name in ("clips", "labels")]
    return hashlib.sha256(json.dumps([*content, arrays["classes"].tolist()]).encode()).hexdigest()[
        :12
    ]


def _of_npz(file: Path) -> Arrays:
    with np.load(file) as arrays:
        return dict(arrays)


def _of_csv(file: Path) -> Arrays:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = list(rows[0]) if rows else []
    texts: Arrays = {name: np.array([row[name] for row in rows]) for name in names}
    logits = sorted(
        (name for name in names if name.startswith("logits_")), key=lambda name: int(name[7:])
    )
    kept = {name: column for name, column in texts.items() if name not in logits}
    if logits:
        kept["logits"] = np.stack([texts[name].astype(float) for name in logits], axis=1)
    if "label" in kept and logits:
        kept["label"] = kept["label"].astype(np.int64)
    return kept


def _arrays(columns: Arrays, file: Path) -> Arrays:
    """Return the arrays as a trial keeps them; labels become class numbers. Shape: (N,), (N, K)"""
    if unknown := [name for name in columns if name not in COLUMNS]:
        hint = did_you_mean(unknown[0], COLUMNS)
        raise DataError(f"{file}: got the column {unknown[0]!r}; {WANTED}.{hint}")
    missing = [name for name in COLUMNS[:2] if name not in columns]
    if missing or not {"predicted", "logits"} & columns.keys():
        raise DataError(f"{file}: got {', '.join(columns) or 'no column'}; {WANTED}")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or not lengths["clip"]:
        raise DataError(f"{file}: got {lengths} rows; wanted: as many of each, one at least")
    clips = columns["clip"].astype(str)
    if len(set(clips.tolist())) < len(clips):
        raise DataError(f"{file}: a clip is listed twice; wanted: each test clip once")
    labels, logits, classes = _classes(columns, file)
    sources = columns.get("source", clips).astype(str)
    return {
        "clips": clips,
        "sources": sources,
        "labels": labels,
        "logits": logits,
        "classes": classes,
    }


def _classes(columns: Arrays, file: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return labels as class numbers, logits and the classes' names. Shape: → (N,), (N, K), (K,)

    Where classes are only named, those of the labels are all there are, and one more that stands
    for every other: so all arms have as many, whatever they predict.
    """
    labels = columns["label"]
    if "logits" in columns:
        logits = columns["logits"].astype(float)
        if logits.ndim != 2 or labels.dtype.kind not in "iu" or not _fit(labels, logits):
            raise DataError(
                f"{file}: got logits of shape {logits.shape} and labels such as {labels[:1]}; "
                "wanted: a row of logits for each clip, and as its label the number of a column"
            )
        return labels, logits, np.arange(logits.shape[1]).astype(str)
    names, numbers = np.unique(labels.astype(str), return_inverse=True)
    classes = np.append(names, "another class")
    is_class = columns["predicted"].astype(str)[:, None] == names
    is_other = ~is_class.any(axis=1, keepdims=True)
    return numbers, np.concatenate([is_class, is_other], axis=1).astype(float), classes


def _fit(labels: NDArray[Any], logits: NDArray[Any]) -> bool:
    """Whether the labels are numbers of columns. Shape: (N,) or (N, K), (N, K)"""
    return labels.ndim == 2 or bool(labels.min() >= 0 and labels.max() < logits.shape[1])
