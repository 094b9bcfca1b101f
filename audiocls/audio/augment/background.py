"""A folder of background recordings, concatenated into one waveform.

Legend: N samples of all recordings.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiocls.audio.decode import FORMATS, decode
from audiocls.audio.listing import list_clips
from audiocls.audio.pack import resample
from audiocls.errors import DataError


def open_background(folder: str | Path, sample_rate: int) -> Tensor:
    """Read every recording under `folder`, in the order of paths, resampled to `sample_rate` Hz.

    Held in memory (four bytes a sample): for minutes of noise, not for hours.

    Raises:
        DataError: no such folder, no recording in it, or recordings that do not decode (all
            of them named).

    Shape: → (N,) float32
    """
    folder = Path(folder)
    waveforms, problems = [], []
    for path in list_clips(folder).files:
        try:
            waveforms.append(resample(decode(path), sample_rate))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n  - ".join([f"augment.background: {folder}:", *problems]))
    if not waveforms:
        raise DataError(_nothing(folder))
    return torch.from_numpy(np.concatenate(waveforms))


def _nothing(folder: Path) -> str:
    got = f"no {', '.join(FORMATS)} file in it" if folder.is_dir() else "no such folder"
    return (
        f"augment.background: got {folder}, {got}; allowed is a folder with recordings of noise; "
        "correct the path or leave the option out."
    )
