"""What the files that a configuration names hold, as digests: part of a trial's identity."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audiocls.audio.clips import fingerprint
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
"""Key of a folder → the fewest recordings that are of use."""


def identity_of(config: Config, cache: Path) -> dict[str, Any]:
    """The configuration as it identifies a trial: contents of files instead of their paths.

    Raises `UsageError` or `DataError` naming the key and the path that cannot be read.
    """
    digests = {key: digest(key, Path(path), cache) for key, path in files_of(config).items()}
    if (other := config.pretraining.data) is not None:
        digests["pretraining.fingerprint"] = fingerprint(other.table(cache), cache)
    return by_content(identity_config(config), digests)


def require_usable(config: Config, labels: Sequence[str]) -> None:
    """Refuse at launch, without torch, what can be known then to be of no use to a trial.

    Raises `UsageError` for a checkpoint that is missing or broken, `ConfigError` for one of
    another kind of model, or a teacher that hears other clips or tells other classes apart.
    """
    if (source := config.init_from) is not None and (
        faults := init_incompatibilities(Path(source), config)
    ):
        raise ConfigError(f"init_from {source}", faults)
    if (teacher := config.distil.teacher) is not None:
        theirs = read_metadata("distil.teacher", Path(teacher))
        if faults := teacher_incompatibilities(theirs, config, labels):
            raise ConfigError(f"distil.teacher {teacher}", faults)


def digest(key: str, path: Path, cache: Path) -> str:
    """A digest of a file, of a checkpoint in a folder, or of all audio below a folder."""
    if key in AUDIO_FOLDERS:
        table = unlabelled_table(path, key, AUDIO_FOLDERS[key])
        return f"audio:{fingerprint(table, cache)}"
    file = TrialFolder(path).checkpoint if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise UsageError(f"{key}: {file} cannot be read ({error.strerror})") from error
