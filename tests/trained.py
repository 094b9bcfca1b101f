"""A finished trial of a tiny recipe, and what tests do with one."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
from tiny import TINY

from audiocls.audio.clips import ClipTable, fingerprint
from audiocls.config import identifying, resolve
from audiocls.run.events import Done
from audiocls.run.task import Task
from audiocls.run.trial import train_trial
from audiocls.run.warm import Warm
from audiocls.store import Cell, TrialFolder
from audiocls.train.checkpoint import Checkpoint, load_checkpoint
from audiocls.train.fit import Signal

TRIALS: dict[str, dict[str, Any]] = {
    "logmel": {},
    "logmel at another rate": {"data.sample_rate": 8000},
    "raw": {
        "features.name": "raw",
        "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
    },
    "hifigan": {"features.name": "raw", "model": {"name": "hifigan", "width": 8}},
}


class Trained:
    """A finished trial whose clips last as long as the files they come from."""

    def __init__(self, changes: dict[str, Any], folder: Path, cache: Path):
        config = resolve([TINY, {"data.duration_s": 1.0, "data.sample_rate": 16000}, changes], "")
        self.table: ClipTable = config.data.table(cache)
        task = Task(
            study="s",
            cell=Cell("abc", "baseline", 0, 1),
            config=identifying(config),
            data_fingerprint=fingerprint(self.table, cache),
            folder=str(folder),
            study_path=str(folder),
            wandb="disabled",
            project="p",
            tags=(),
        )
        events: list[Any] = []
        train_trial(task, Warm(cache), events.append, lambda: Signal.GO)
        assert events[-1] == Done("abc"), events[-1]
        self.trial: TrialFolder = task.trial
        self.checkpoint: Checkpoint = load_checkpoint(folder)


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    """16-bit; `samples` (frames,) or (frames, channels) in ±1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return path


def noise(num_samples: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, num_samples)
