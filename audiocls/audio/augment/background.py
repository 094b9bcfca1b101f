"""A folder of background recordings as one long wave.

Legend: N samples of all recordings.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiocls.audio.decode import FORMATS, decode
from audiocls.audio.pack import resampled
from audiocls.errors import DataError


def open_background(folder: str | Path, sample_rate: int) -> Tensor:
    """Every recording under `folder`, in the order of their paths, end to end at that rate in Hz.

    Held in memory (four bytes a sample): for minutes of noise, not for hours.

    Raises:
        DataError: no such folder, no recording in it, or recordings that do not decode (all
            of them named).

    Shape: → (N,) float32
    """
    folder = Path(folder)
    waves, faults = [], []
    for path in sorted(path for path in folder.rglob("*") if _is_audio(path)):
        try:
            waves.append(resampled(decode(path), sample_rate))
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n  - ".join([f"augment.background: {folder}:", *faults]))
    if not waves:
        raise DataError(_nothing(folder))
    return torch.from_numpy(np.concatenate(waves))


def _is_audio(path: Path) -> bool:
    return path.suffix.lower().lstrip(".") in FORMATS and path.is_file()


def _nothing(folder: Path) -> str:
    got = f"no {', '.join(FORMATS)} file in it" if folder.is_dir() else "no such folder"
    return (
        f"augment.background: got {folder}, {got}; allowed is a folder with recordings of noise; "
        "correct the path or leave the option out."
    )
