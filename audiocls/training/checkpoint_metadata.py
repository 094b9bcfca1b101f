"""What lies beside a checkpoint's weights, read without torch: so that a launch can refuse it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from audiocls.config import Config, resolve
from audiocls.errors import UsageError

WEIGHTS = "checkpoint.safetensors"


@dataclass(frozen=True)
class Description:
    """How a checkpoint was made, and the classes of its last layer."""

    config: Config
    labels: tuple[str, ...]


def weights_file(path: Path) -> Path:
    """The `.safetensors` file of a trial's folder, or that file itself."""
    return path / WEIGHTS if path.is_dir() else path


def require_whole(key: str, path: Path) -> None:
    """Raises `UsageError` naming the `key` if there are no weights at `path`, or only a part.

    Only the head of the file is read, which says how long the whole is.
    """
    file = weights_file(path)
    try:
        with safe_open(file, framework="numpy"):
            json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))["labels"]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise unreadable(key, file, error) from error


def unreadable(key: str, file: Path, error: Exception) -> UsageError:
    """The one message for a file that should be a checkpoint."""
    return UsageError(
        f"{key}: {file} cannot be read as a checkpoint ({error}). Give the folder of a "
        f"finished trial (runs/<study>/trials/<id>) or the {WEIGHTS} in it"
    )


def description(key: str, path: Path) -> Description:
    """The description of a finished trial's checkpoint; raises `UsageError` naming the `key`."""
    require_whole(key, path)
    file = weights_file(path).with_suffix(".json")
    content = json.loads(file.read_text(encoding="utf-8"))
    if "config" not in content:
        raise unreadable(key, file, KeyError("config"))
    return Description(resolve([content["config"]], str(file)), tuple(content["labels"]))


def init_incompatibilities(source: Path, config: Config) -> list[str]:
    """Why the weights at `source` can be of no use to a trial of `config`; empty if they may be.

    Raises `UsageError` naming `init_from` if they cannot be read.
    """
    theirs = description("init_from", source).config
    shares_front_end = config.features.is_learned and theirs.features.name == config.features.name
    if theirs.model.name == config.model.name or shares_front_end:
        return []
    return [
        f"its model is {theirs.model.name}, this trial's {config.model.name}; they must be the "
        "same kind, whatever their sizes"
    ]


def teacher_incompatibilities(
    teacher: Description, config: Config, labels: Sequence[str]
) -> list[str]:
    """What keeps `teacher` from teaching a trial of `config`, all of it; empty if nothing does."""
    theirs = teacher.config
    facts = {
        "classes": (teacher.labels, tuple(labels)),
        "sample rate in Hz": (theirs.data.sample_rate, config.data.sample_rate),
        "samples a clip": (theirs.num_samples, config.num_samples),
        "wave normalisation": (_level(theirs), _level(config)),
    }
    return [
        f"{name}: the teacher has {its!r}, this trial {own!r}; they must be the same"
        for name, (its, own) in facts.items()
        if its != own
    ]


def _level(config: Config) -> str:
    """How loud a clip is before anything hears it."""
    how = config.features.wave_normalise
    peak = config.features.peak if config.features.name == "raw" else 1.0
    return f"{how} to {peak:g}" if how == "abs_max" else how
