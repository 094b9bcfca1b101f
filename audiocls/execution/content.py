"""Files that a configuration names: their digests in a trial's id, and whether they can be used."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from audiocls.audio.check import require_ready
from audiocls.audio.clips import ClipTable, fingerprint
from audiocls.audio.unlabelled import unlabelled_table
from audiocls.config import Config, by_content, files_of, identity_config
from audiocls.errors import ConfigError, UsageError
from audiocls.store import TrialFolder
from audiocls.training.checkpoint_metadata import (
    init_incompatibilities,
    read_metadata,
    teacher_incompatibilities,
)

AUDIO_FOLDERS = {"ssl.clips": 2, "augment.background": 1}
"""Key of a folder → the smallest number of recordings in it."""


def identity_of(config: Config, cache: Path) -> dict[str, Any]:
    """Return the configuration that identifies a trial: digests of files instead of their paths.

    Raises `UsageError` or `DataError` naming the key and the path that cannot be read.
    """
    digests = {key: digest(key, Path(path), cache) for key, path in files_of(config).items()}
    if (other := config.pretraining.data) is not None:
        digests["pretraining.fingerprint"] = fingerprint(other.table(cache), cache)
    return by_content(identity_config(config), digests)


def require_usable(config: Config, labels: Sequence[str]) -> None:
    """Reject incompatible checkpoints, teachers and models beyond their budget at launch.

    Only a budget needs torch, to build the model. Raises `UsageError` for a checkpoint that is
    missing or broken, `ConfigError` for one of another kind of model, a teacher with other clips or
    classes, or a model beyond `config.budget`.
    """
    if (source := config.init_from) is not None and (
        faults := init_incompatibilities(Path(source), config)
    ):
        raise ConfigError(f"init_from {source}", faults)
    if (teacher := config.distil.teacher) is not None:
        teacher_metadata = read_metadata("distil.teacher", Path(teacher))
        if faults := teacher_incompatibilities(teacher_metadata, config, labels):
            raise ConfigError(f"distil.teacher {teacher}", faults)
    if config.budget.is_limited:
        from audiocls.training.budget import require_within_budget
        from audiocls.training.cost import trained_network

        network, _ = trained_network(config, len(labels))
        require_within_budget(config, network, len(labels))


def data_notes(
    config: Config, table: ClipTable, known: str, folds: Collection[int], cache: Path
) -> tuple[str, ...]:
    """Return what is odd about all recordings that a configuration trains on.

    `known` is the fingerprint of its own clips `table`.

    Raises `DataError` if training on `folds` would fail, or could not be trusted.
    """
    notes = require_ready(table, known, config.data.name, cache, folds)
    if (other := config.pretraining.data) is not None:
        clips = other.table(cache)
        named, stage = f"pretraining.data {other.name}", clips.folds[:1]
        notes += require_ready(clips, fingerprint(clips, cache), named, cache, stage)
    for key, path in files_of(config).items():
        if key in AUDIO_FOLDERS:
            clips = unlabelled_table(Path(path), key, AUDIO_FOLDERS[key])
            notes += require_ready(clips, fingerprint(clips, cache), key, cache, ())
    return notes


def digest(key: str, path: Path, cache: Path) -> str:
    """Return the digest of a file, of a checkpoint in a folder, or of all audio below a folder."""
    if key in AUDIO_FOLDERS:
        table = unlabelled_table(path, key, AUDIO_FOLDERS[key])
        return f"audio:{fingerprint(table, cache)}"
    file = TrialFolder(path).checkpoint if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise UsageError(f"{key}: {file} cannot be read ({error.strerror})") from error
