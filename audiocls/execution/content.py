"""Files that a configuration names: their digests in a trial's id, and whether they can be used."""

import hashlib
import math
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any

from audiocls.audio.check import require_ready
from audiocls.audio.check.probe import DecodedInfo, kept_probes
from audiocls.audio.clips import ClipTable, fingerprint
from audiocls.audio.datasets import DataSet, Folder, Shards, is_packed
from audiocls.audio.fetch import require_as_unpacked
from audiocls.audio.pack import open_pack, pack_folder, require_room
from audiocls.audio.remote import is_url, require_intact
from audiocls.audio.unlabelled import unlabelled_table
from audiocls.config import Config, SharedParts, by_content, encoders_of, files_of
from audiocls.encoders import source_of
from audiocls.encoders.hub import require_reachable
from audiocls.errors import AudioclsError, ConfigError, MachineFault, UsageError
from audiocls.extras import is_installed, require
from audiocls.named_paths import is_dir
from audiocls.store import TrialFolder
from audiocls.training.checkpoint_metadata import (
    init_incompatibilities,
    read_metadata,
    teacher_incompatibilities,
)

AUDIO_FOLDERS = {"ssl.clips": 2, "augment.background": 1}
"""Key of a folder → the smallest number of recordings in it."""
MOST_AHEAD = 1 << 25
"""Samples of all clips, half an hour at 16 kHz: decoding them takes no longer than importing torch,
and no launch that is stopped waits for it."""
ENCODERS = ("features.model", "model.model")
"""Keys of folders with a pretrained encoder."""


def identity_of(config: Config, cache: Path, parts: SharedParts | None = None) -> dict[str, Any]:
    """Return the configuration that identifies a trial: digests of files instead of their paths.

    `parts` is for many configurations that share most of theirs. Raises `UsageError` or `DataError`
    naming the key and the path that cannot be read.
    """
    resolved = (parts or SharedParts()).identity_config(config)
    named = files_of(config, resolved)
    digests = {key: digest(key, Path(path), cache) for key, path in named.items()}
    features = config.features
    if features.name == "encodec" and features.weights == "untrained":
        digests["features.weights"] = features.weights_digest()  # they have versions
    if (other := config.pretraining.data) is not None:
        digests["pretraining.fingerprint"] = fingerprint(other.table(cache), cache)
    return by_content(resolved, digests)


_USED = attrgetter("data", "features", "model", "init_from", "distil", "budget")


def used_parts(config: Config) -> tuple[int, ...]:
    """Return what tells configurations apart that `require_usable` may answer differently.

    Those of a study share most of their parts, and each answer may take a network that is built.
    The configurations must outlive it.
    """
    return tuple(map(id, _USED(config)))


def require_usable(config: Config, labels: Sequence[str]) -> None:
    """Reject incompatible checkpoints, teachers and models beyond their budget at launch.

    Only a budget needs torch, to build the model: where that is not installed, no trial can be
    trained either, and `unchecked_budgets` says so. Raises `UsageError` for a checkpoint that is
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
    if config.budget.is_limited and is_installed("train"):
        from audiocls.training.budget import require_within_budget
        from audiocls.training.cost import trained_network

        network, _ = trained_network(config, len(labels))
        require_within_budget(config, network, len(labels))


def require_encoders(configs: Iterable[Config]) -> None:
    """Refuse pretrained encoders that no trial could load, before any is trained.

    Raises `UsageError` where their extra is not installed, and `DataError` where their files are
    neither here nor can be downloaded.
    """
    for encoder in {each: None for config in configs for each in encoders_of(config).values()}:
        for extra in encoder.needed_extras:
            require(extra, f"the encoder {encoder.model}")
        require_reachable(encoder.source)


def unchecked_budgets(configs: Iterable[Config]) -> list[str]:
    """Return a sentence if there are budgets, and no torch to count what the models cost."""
    if is_installed("train") or not any(config.budget.is_limited for config in configs):
        return []
    return ["The budget is not checked: counting a model's cost needs the extra 'train'."]


def data_notes(
    config: Config, table: ClipTable, known: str, folds: Collection[int], cache: Path
) -> tuple[str, ...]:
    """Return what is odd about all recordings that a configuration trains on.

    `known` is the fingerprint of its own clips `table`.

    Raises `DataError` if training on `folds` would fail, or could not be trusted, and
    `MachineFault` if the cache has no room for the decoded clips.
    """
    data = config.data
    notes = require_ready(table, known, data.name, cache, folds, data.validation)
    if is_packed(data):
        _require_room(data, len(table.clips), known, cache)
    if (other := config.pretraining.data) is not None:
        clips = other.table(cache)
        named, stage = f"pretraining.data {other.name}", clips.folds[:1]
        notes += require_ready(clips, fingerprint(clips, cache), named, cache, stage)
    for key, path in files_of(config).items():
        if key in AUDIO_FOLDERS:
            clips = unlabelled_table(Path(path), key, AUDIO_FOLDERS[key])
            notes += require_ready(clips, fingerprint(clips, cache), key, cache, ())
    return notes


def _require_room(data: DataSet, num_clips: int, known: str, cache: Path) -> None:
    """Raise `MachineFault` if the decoded clips of a data set do not fit into the cache."""
    probes = kept_probes(known, cache, num_clips) or []
    lengths = (
        math.ceil(each.num_samples * data.sample_rate / each.sample_rate)
        for each in probes
        if isinstance(each, DecodedInfo)
    )
    try:
        require_room(pack_folder(cache, known, data.sample_rate), sum(lengths))
    except MachineFault as fault:
        if not isinstance(data, Folder | Shards):
            raise
        without = "or decode clips whenever they are read, which is slower: --set data.pack=false"
        raise MachineFault(f"{fault}; {without}") from fault


def require_sources(data: DataSet, known: str, cache: Path) -> None:
    """Raise `DataError` if a download was damaged since it was unpacked, before it is packed.

    The fingerprint, `known`, would not tell: it is computed anew only where size or time have
    changed.
    """
    if data.root is None or pack_folder(cache, known, data.sample_rate).exists():
        return
    if is_url(data.root):
        require_intact(data.root, cache)
    else:
        require_as_unpacked(data.name, Path(data.root).expanduser())


def decode_ahead(data: DataSet, table: ClipTable, known: str, cache: Path) -> None:
    """Write the pack of a small data set while workers import, for the first of them to find.

    Left to the workers is what needs torch, as resampling does, and what is at fault: a trial
    says so. `known` is the fingerprint of `table`.
    """
    folder = pack_folder(cache, known, data.sample_rate)
    if folder.exists() or not is_packed(data):
        return
    probes = kept_probes(known, cache, len(table.clips)) or []
    lengths = [
        each.num_samples
        for each in probes
        if isinstance(each, DecodedInfo) and each.sample_rate == data.sample_rate
    ]
    if len(lengths) < len(table.clips) or sum(lengths) > MOST_AHEAD:
        return
    with suppress(AudioclsError, OSError):
        require_sources(data, known, cache)
        open_pack(table, known, data.sample_rate, cache)


def digest(key: str, path: Path, cache: Path) -> str:
    """Return the digest of a file, of a checkpoint or an encoder in a folder, or of all audio."""
    if key in ENCODERS or (key == "features.weights" and is_dir(path)):
        return f"sha256:{source_of(str(path)).digest()}"
    if key in AUDIO_FOLDERS:
        table = unlabelled_table(path, key, AUDIO_FOLDERS[key])
        return f"audio:{fingerprint(table, cache)}"
    file = TrialFolder(path).checkpoint if is_dir(path) else path
    try:
        with file.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise UsageError(f"{key}: {file} cannot be read ({error.strerror})") from error
