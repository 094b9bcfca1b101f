"""A checkpoint's configuration and labels, read without torch, to reject it before a launch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from audiocls.config import Config, resolve
from audiocls.digests import verified_weights
from audiocls.errors import UsageError
from audiocls.parts.origin import of_checkpoint

WEIGHTS = "checkpoint.safetensors"


@dataclass(frozen=True)
class CheckpointMetadata:
    """The configuration that a checkpoint was trained with, and the classes of its last layer."""

    config: Config
    labels: tuple[str, ...]


def weights_file(path: Path) -> Path:
    """Return the `.safetensors` file of a trial's folder, or `path` if it is a file."""
    return path / WEIGHTS if path.is_dir() else path


def read_files(file: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the weights in a `.safetensors` file, as they were written, and their description.

    Raises `OSError`, or `ValueError` for a content that is damaged.
    """
    description = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    if not isinstance(description, dict) or "labels" not in description:
        raise ValueError(f"{file.with_suffix('.json').name} names no labels")
    return verified_weights(file.read_bytes(), description), description


def _described(key: str, file: Path) -> dict[str, Any]:
    """Return the description of whole weights, or raise `UsageError` naming the option `key`."""
    try:
        with safe_open(file, framework="numpy"):  # the header, which has the length of the file
            return read_files(file)[1]
    except (OSError, SafetensorError, ValueError) as error:
        raise unreadable(key, file, error) from error


def unreadable(key: str, file: Path, error: Exception) -> UsageError:
    """Return the error for a file that should be a checkpoint, named by the option `key`."""
    return UsageError(
        f"{key}: {file} cannot be read as a checkpoint ({error}). Give the folder of a "
        f"finished trial (runs/<study>/trials/<id>) or the {WEIGHTS} in it"
    )


def read_metadata(key: str, path: Path) -> CheckpointMetadata:
    """Return the metadata of a finished trial's checkpoint.

    Raises:
        UsageError: the checkpoint, named by the option `key`, cannot be read.
    """
    file = weights_file(path)
    content = _described(key, file)
    if "config" not in content:
        raise unreadable(key, file, KeyError("config"))
    return CheckpointMetadata(
        resolve([content["config"]], str(file), of_checkpoint(file)), tuple(content["labels"])
    )


def init_incompatibilities(source: Path, config: Config) -> list[str]:
    """Return reasons why these weights cannot initialise a trial of `config`; empty if compatible.

    Raises:
        UsageError: they cannot be read.
    """
    theirs = read_metadata("init_from", source).config
    shares_front_end = config.features.is_learned and theirs.features.name == config.features.name
    if theirs.model.name == config.model.name or shares_front_end:
        return []
    return [
        f"its model is {theirs.model.name}, this trial's {config.model.name}; they must be the "
        "same kind, whatever their sizes"
    ]


def teacher_incompatibilities(
    teacher: CheckpointMetadata, config: Config, labels: Sequence[str]
) -> list[str]:
    """Return reasons why `teacher` cannot teach a trial of `config`; empty if compatible.

    Args:
        labels: the trial's classes, in the order of its logits.
    """
    theirs = teacher.config
    facts = {
        "classes": (teacher.labels, tuple(labels)),
        "several labels a clip": (theirs.data.is_multi_label, config.data.is_multi_label),
        "sample rate in Hz": (theirs.data.sample_rate, config.data.sample_rate),
        "samples a clip": (theirs.num_samples, config.num_samples),
        "wave normalisation": (_level(theirs), _level(config)),
    }
    return [
        f"{name}: the teacher has {expected!r}, this trial {value!r}; they must be the same"
        for name, (expected, value) in facts.items()
        if expected != value
    ]


def _level(config: Config) -> str:
    """Return the waveform normalisation as text: `abs_max to 0.95`, `none` …"""
    how = config.features.wave_normalise
    peak = config.features.peak if config.features.name == "raw" else 1.0
    return f"{how} to {peak:g}" if how == "abs_max" else how
