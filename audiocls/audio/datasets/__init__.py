"""The registry of data sets: one frozen `Part` a file, picked by `name`.

To add one: a file with a `Part` that has `name`, `root`, `sample_rate`, `duration_s`,
`is_multi_label`, `num_folds` and `table(cache) -> ClipTable`, and its class in the union below.
"""

from typing import Annotated

from pydantic import Field

from audiocls.audio.datasets.audioset import AudioSet
from audiocls.audio.datasets.esc50 import ESC50
from audiocls.audio.datasets.folder import Folder
from audiocls.audio.datasets.speechcommands import SpeechCommands
from audiocls.audio.datasets.synthetic import Synthetic
from audiocls.audio.datasets.urbansound8k import UrbanSound8K

DataSet = Annotated[
    Synthetic | ESC50 | UrbanSound8K | SpeechCommands | AudioSet | Folder,
    Field(discriminator="name"),
]

__all__ = [
    "ESC50",
    "AudioSet",
    "DataSet",
    "Folder",
    "SpeechCommands",
    "Synthetic",
    "UrbanSound8K",
]
