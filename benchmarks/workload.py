"""What both arms train: one-second WAVs on disk, one recipe, two learning rates × some seeds."""

import csv
import os
import sysconfig
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audiocls import yaml_file
from audiocls.audio.synthesis import CLASSES, synthesise

SAMPLE_RATE = 16000  # Hz
BATCH_SIZE = 128
RATES = (0.0002, 0.0001)
"""The two arms: learning rates at the top of the one-cycle schedule.

Low ones, because Adam divides each gradient by its own size, rounding errors included: at 0.003 the
usual script's losses differ by 2e-3 between one thread and two, and nothing could be compared.
"""
STUDY = "throughput"
OVERRIDES = {
    "data.name": "folder",
    "augment.freq_mask": 0,
    "augment.time_mask": 0,
    "features.normalise": "clip",
    "features.n_fft": 400,
    "features.hop": 160,
    "optim.weight_decay": 0.0,
    "train.label_smoothing": 0.0,
    "train.batch_size": BATCH_SIZE,
}
"""What the recipe `logmel-cnn` gives up so that a script of the usual kind computes the same."""

Cell = tuple[float, int]
"""Learning rate and seed: one trial."""


@dataclass(frozen=True)
class Workload:
    """`num_trials` trials, each of `epochs` passes over `num_clips` training clips."""

    data: Path
    num_trials: int
    num_clips: int
    epochs: int

    @property
    def num_held_out(self) -> int:
        """Validation clips, and as many test clips."""
        return max(len(CLASSES), self.num_clips // 8)

    @property
    def cells(self) -> list[Cell]:
        return [(lr, seed) for seed in range(self.num_trials // len(RATES)) for lr in RATES]


def write_data(workload: Workload) -> None:
    """`manifest.csv` and the WAVs it names, with official splits."""
    (workload.data / "audio").mkdir(parents=True)
    with (workload.data / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "split"))
        for number, split in enumerate(_splits(workload)):
            label = number % len(CLASSES)
            name = f"audio/{number:05d}.wav"
            _write_wav(workload.data / name, label, number)
            rows.writerow((name, CLASSES[label], split))


def write_ablation(workload: Workload, file: Path) -> Path:
    """The ablation that `audiocls sweep launch` is given."""
    content = {
        "name": STUDY,
        "question": "How many trials an hour does this machine train?",
        "recipe": "logmel-cnn",
        "overrides": {
            **OVERRIDES,
            "data.root": str(workload.data),
            "train.epochs": workload.epochs,
        },
        "arms": {f"lr-{10000 * lr:g}e-4": {"optim.lr": lr} for lr in RATES},
        "blocks": {"seed": list(range(workload.num_trials // len(RATES))), "fold": [1]},
    }
    file.write_text(yaml_file.dump(content), encoding="utf-8")
    return file


def plain_environment(cache: Path) -> dict[str, str]:
    """This process's environment with default threads; W&B offline, and silent about faults."""
    inherited = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    return {
        **inherited,
        "AUDIOCLS_CACHE": str(cache),
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
    }


def console_script() -> str:
    """The installed command `audiocls`."""
    return str(Path(sysconfig.get_path("scripts"), "audiocls"))


def _splits(workload: Workload) -> Iterator[str]:
    for split, count in (
        ("train", workload.num_clips),
        ("val", workload.num_held_out),
        ("test", workload.num_held_out),
    ):
        yield from [split] * count


def _write_wav(path: Path, label: int, source: int) -> None:
    samples = synthesise(0, label, source, 0, SAMPLE_RATE, SAMPLE_RATE, difficulty=0.5)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
