"""The clips that an evaluation scores: a split of a data set, or the files of a manifest.

Legend: N clips.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.clips import FURTHER, ClipTable, Validation, needed_splits
from audiocls.audio.datasets import DataSet
from audiocls.config import resolve
from audiocls.errors import ConfigError, UsageError, did_you_mean
from audiocls.parts import Origin
from audiocls.parts.names import import_strings
from audiocls.training.checkpoint import Checkpoint
from audiocls.training.manifest import read_manifest

SPLITS = ("test", "val", "train", "all")
FIXED = ("data.sample_rate", "data.duration_s")
"""Keys of the checkpoint's input, to which clips of another rate or length are brought."""


@dataclass(frozen=True)
class EvaluationRequest:
    """Clips to score."""

    name: str
    """Describes the clips in reports."""
    data: DataSet
    """At the checkpoint's sample rate and clip length."""
    table: ClipTable
    clips: NDArray[np.int64]
    """(N,) numbers of clips in `table`."""
    notes: tuple[str, ...] = ()
    """Caveats of the result."""


def evaluation_request(
    checkpoint: Checkpoint,
    cache: Path,
    overrides: Mapping[str, Any],
    split: str | None = None,
    fold: int | None = None,
    manifest: Path | None = None,
    known_root: str | None = None,
) -> EvaluationRequest:
    """Return the clips that the options of `audiocls evaluate` ask for.

    Args:
        overrides: `data.…` keys of another data set, or of other options of the checkpoint's.
        split: one of `SPLITS`, or `test:NAME`; default: test.
        fold: from 1; default: the checkpoint's own.
        manifest: a CSV file, instead of all these.
        known_root: where the checkpoint's own data lay, for want of an override.

    Raises:
        UsageError: options exclude each other, or there is no such split.
        ConfigError: overrides are invalid or of more than the data.
        DataError: data set or manifest cannot be read.
    """
    if manifest is None:
        is_same_data = overrides.get("data.name", checkpoint.config.data.name) == (
            checkpoint.config.data.name
        )
        root = {"data.root": known_root} if known_root and is_same_data else {}
        return _of_data_set(checkpoint, cache, {**root, **overrides}, split or "test", fold)
    if overrides or split is not None or fold is not None:
        raise UsageError("--manifest names all the clips: leave out --set, --split and --fold")
    table = read_manifest(manifest, checkpoint.is_multi_label)
    clips = clips_of_split(table, "all", 1)
    return EvaluationRequest(str(manifest), checkpoint.config.data, table, clips)


def clips_of_split(
    table: ClipTable, split: str, fold: int, validation: Validation = "held_out"
) -> NDArray[np.int64]:
    """Return the numbers of the clips of a split: one of `SPLITS`, or further test clips.

    Raises `UsageError` where there is no such split.

    Shape: → (N,)
    """
    if split == "all":
        return np.arange(len(table.clips))
    splits = table.split(fold, validation)
    shared = {"train": splits.train, "val": splits.val, "test": splits.test}
    known = {name: shared[name] for name in needed_splits(validation)} | dict(splits.further)
    if split not in known:
        allowed = f"--split: got {split!r}; this data has {', '.join(known)}."
        raise UsageError(allowed + did_you_mean(split, known))
    return known[split]


def num_seen(checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]) -> dict[str, int]:
    """Return how many of `clips` were in the checkpoint's training and validation sets.

    Args:
        table: of the data set that the checkpoint was trained on.

    Shape: clips (N,)
    """
    config = checkpoint.config
    splits = table.split(config.fold, config.data.validation)
    sets = {"training": splits.train, "validation": splits.val}
    return {name: len(np.intersect1d(seen, clips)) for name, seen in sets.items()}


def _of_data_set(
    checkpoint: Checkpoint, cache: Path, overrides: Mapping[str, Any], split: str, fold: int | None
) -> EvaluationRequest:
    if split not in SPLITS and not FURTHER.fullmatch(split):
        allowed = f"--split: got {split!r}; allowed: {', '.join(SPLITS)}."
        raise UsageError(allowed + did_you_mean(split, SPLITS))
    data = _data_set(checkpoint, overrides)
    table = data.table(cache)
    number = fold or checkpoint.config.fold
    clips = clips_of_split(table, split, number, data.validation)
    is_same_data = _clips_of(data) == _clips_of(checkpoint.config.data)
    notes = _caveats(num_seen(checkpoint, table, clips)) if is_same_data else ()
    name = f"{data.name}, " + ("all clips" if split == "all" else f"{split} clips of fold {number}")
    return EvaluationRequest(name, data, table, clips, notes)


def _caveats(seen: Mapping[str, int]) -> tuple[str, ...]:
    """Return that the score is no test result, where some clips were trained or selected on."""
    which = " and ".join(f"{count} were in the {name} set" for name, count in seen.items() if count)
    text = f"of these clips, {which} of this trial: this score is not a test result."
    return (text,) if which else ()


def _data_set(checkpoint: Checkpoint, overrides: Mapping[str, Any]) -> DataSet:
    """Return the checkpoint's data set under `overrides`, at the checkpoint's rate and length."""
    problems = [
        f"{key}: the checkpoint was trained at this rate and length; clips are brought to it"
        if key in FIXED
        else f"{key}: only data.… can be another; the rest is the checkpoint's"
        for key in overrides
        if key in FIXED or not key.startswith("data.")
    ]
    if problems:
        raise ConfigError("--set", problems)
    config = checkpoint.config
    fixed = {"data.sample_rate": config.data.sample_rate, "data.duration_s": config.data.duration_s}
    # The checkpoint is no more trusted here than when it was read; what the user names is.
    origin = Origin("the checkpoint", keeps_code=True, names=import_strings(overrides))
    return resolve([config.model_dump(mode="json"), overrides, fixed], "--set", origin).data


def _clips_of(data: DataSet) -> dict[str, Any]:
    """Return the options that decide which clips there are, but not where they are or their use."""
    return data.model_dump(exclude={"root", "validation", "pack"})
