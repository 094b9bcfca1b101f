"""The registry of data sets: one frozen `Options` a file, picked by `name`.

To add one: a file with an `Options` that has `name`, `root`, `sample_rate` (Hz), `duration_s`,
`validation`, `is_multi_label`, `num_folds` and `table(cache) -> ClipTable`, and its class in the
union below.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets.audioset import AudioSet
from audiocls.audio.datasets.esc50 import ESC50
from audiocls.audio.datasets.folder import Folder
from audiocls.audio.datasets.layout import existing_folder
from audiocls.audio.datasets.manifests import write_rows
from audiocls.audio.datasets.own import OwnData
from audiocls.audio.datasets.shards import Shards
from audiocls.audio.datasets.speechcommands import SpeechCommands
from audiocls.audio.datasets.synthetic import Synthetic
from audiocls.audio.datasets.urbansound8k import UrbanSound8K
from audiocls.dotted import nest
from audiocls.errors import ConfigError, UsageError
from audiocls.options import Options
from audiocls.parts import OWN_FILES, OrOwn
from audiocls.validation_errors import describe_errors

DataSet = Annotated[
    Synthetic | ESC50 | UrbanSound8K | SpeechCommands | AudioSet | Folder | Shards,
    Field(discriminator="name"),
    OrOwn(OwnData),
]

__all__ = [
    "ESC50",
    "AudioSet",
    "DataSet",
    "Folder",
    "OwnData",
    "Shards",
    "SpeechCommands",
    "Synthetic",
    "UrbanSound8K",
]


class _Given(Options):
    data: DataSet


def is_packed(data: DataSet) -> bool:
    """Whether the decoded samples of a data set are kept on the disk."""
    return data.pack if isinstance(data, Folder | Shards) else True


def dataset_named(name: str, overrides: Mapping[str, Any]) -> DataSet:
    """Return the data set `name` with overrides such as `{"data.root": "/data"}`.

    Raises:
        ConfigError: no such data set, or unknown keys or values; the message lists all of them.
    """
    given = nest({"data.name": name, **overrides})
    try:
        return _Given.model_validate(given, context=OWN_FILES).data
    except ValidationError as error:
        raise ConfigError(f"data set {name!r}", describe_errors(error, _Given, given)) from error


def write_synthetic(data: DataSet, folder: Path) -> ClipTable:
    """Write the synthetic data set into a new `folder`.

    Raises:
        UsageError: another data set, which is downloaded rather than generated.
        DataError: the folder exists already.
    """
    if not isinstance(data, Synthetic):
        raise UsageError(
            f"{data.name!r} is downloaded, not generated: audiocls data fetch; generated: "
            "synthetic."
        )
    return data.make(folder)


def written_manifest(
    folder: Path, out: Path | None, overrides: Mapping[str, Any]
) -> tuple[Path, ClipTable]:
    """Write what is recognised in a folder as a manifest; return its path and its clips.

    Raises:
        DataError: nothing is recognised, or it cannot be read.
        UsageError: the file exists already.
    """
    data = dataset_named("folder", {"data.root": str(folder), **overrides})
    assert isinstance(data, Folder)
    listed, files = data.listed(existing_folder(str(data.root)))
    table = data.table_of(listed, files)
    path = (out or folder / "manifest.csv").expanduser().absolute()
    write_rows(listed, table, path)
    return path, table
