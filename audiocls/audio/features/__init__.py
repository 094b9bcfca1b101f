"""Front ends, from waveforms to the input of a model; the union `Features` is the registry.

A front end is a folder: its options (torch-free) in `__init__.py`, its code in `front_end.py`.
Every front end maps waveforms (B, T) in [-1, 1] to features (B, C, L): (B, 1, T) for raw audio,
(B, F, L) for log-mel. `normalise.py` has the steps before it (the clip's level) and after it
(statistics of the training clips).

Legend: B batch, C channels, F mel bands, L frames, T samples.
"""

from typing import Annotated

from pydantic import Field

from audiocls.audio.features.encodec import Encodec
from audiocls.audio.features.hear import Hear
from audiocls.audio.features.hf import HF, HFInputs
from audiocls.audio.features.leaf import Leaf
from audiocls.audio.features.logmel import LogMel
from audiocls.audio.features.mfcc import MFCC
from audiocls.audio.features.own import OwnFeatures
from audiocls.audio.features.raw import Raw
from audiocls.audio.features.sincnet import SincNet
from audiocls.audio.features.spectrogram import Spectrogram
from audiocls.audio.features.timm import Timm
from audiocls.parts import OrOwn

Features = Annotated[
    Raw | LogMel | Spectrogram | MFCC | Leaf | SincNet | Encodec | HF | HFInputs | Hear | Timm,
    Field(discriminator="name"),
    OrOwn(OwnFeatures),
]

__all__ = [
    "HF",
    "MFCC",
    "Encodec",
    "Features",
    "HFInputs",
    "Hear",
    "Leaf",
    "LogMel",
    "OwnFeatures",
    "Raw",
    "SincNet",
    "Spectrogram",
    "Timm",
]
