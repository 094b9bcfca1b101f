"""The trials of `peers.py` as an autrainer project: its commands, and what they leave.

Features are extracted once by `autrainer preprocess`, all trials are one Hydra sweep in one
process (`autrainer train`), and everything that no trial needs otherwise is as autrainer has it:
progress bars, outputs, states of each epoch, plots. Features and model are `autrainer_parts.py`.
"""

import csv
import math
from pathlib import Path
from typing import Any

from peer_trials import BATCH_SIZE, DROPOUTS, LR, SMOOTHING, WEIGHT_DECAY, Outcome
from workload import Workload

from audiocls import yaml_file

VERSION = "0.10.0"
SPLITS = {"train": "train", "val": "dev", "test": "test"}
"""The manifest's names → autrainer's."""


def commands(workload: Workload, folder: Path, python: str) -> list[list[str]]:
    """Write the project into `folder`; return the command lines to run there."""
    _write_tables(workload, folder / "data")
    for name, content in _configuration(workload).items():
        file = folder / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml_file.dump(content), encoding="utf-8")
    program = str(Path(python).with_name("autrainer"))
    return [[program, verb, "-cn", "config.yaml"] for verb in ("preprocess", "train")]


def outcomes(folder: Path) -> list[Outcome]:
    """Return what the trials reached."""
    return [_outcome(trial) for trial in sorted(folder.glob("results/peers/training/Clips*"))]


def _outcome(trial: Path) -> Outcome:
    with (trial / "metrics.csv").open(newline="", encoding="utf-8") as file:
        *_, last = csv.DictReader(file)
    tested = yaml_file.read(trial / "_test" / "test_holistic.yaml")
    return Outcome(tested["accuracy"]["all"], float(last["train_loss"]))


def _write_tables(workload: Workload, data: Path) -> None:
    """Write a table a split beside `default`, the folder of the audio."""
    data.mkdir()
    (data / "default").symlink_to(workload.data)
    with (workload.data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for split, name in SPLITS.items():
        with (data / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("path", "label"))
            table.writerows((row["path"], row["label"]) for row in rows if row["split"] == split)


def _configuration(workload: Workload) -> dict[str, dict[str, Any]]:
    """Return file in `conf` → its content."""
    models = {f"model/ConvNeXt-{dropout}": _model(dropout) for dropout in DROPOUTS}
    return {
        "config": _config(workload),
        "dataset/Clips": DATASET,
        "preprocessing/log_mel": PREPROCESSING,
        "augmentation/Masks": AUGMENTATION,
        "optimizer/DecayedAdamW": OPTIMIZER,
        "scheduler/OneCycle": _scheduler(workload),
        **models,
    }


def _config(workload: Workload) -> dict[str, Any]:
    seeds = range(workload.num_trials // len(DROPOUTS))
    swept = {
        "+seed": ",".join(map(str, seeds)),
        "+batch_size": BATCH_SIZE,
        "+learning_rate": LR,
        "dataset": "Clips",
        "model": ",".join(f"ConvNeXt-{dropout}" for dropout in DROPOUTS),
        "optimizer": "DecayedAdamW",
        "scheduler": "OneCycle",
        "augmentation": "Masks",
    }
    return {
        "defaults": ["_autrainer_", "_self_"],
        "results_dir": "results",
        "experiment_id": "peers",
        "iterations": workload.epochs,
        "device": "cpu",
        "hydra": {"sweeper": {"params": swept}},
    }


def _model(dropout: float) -> dict[str, Any]:
    return {
        "id": f"ConvNeXt-{dropout}",
        "_target_": "autrainer_parts.ConvNeXt",
        "dropout": dropout,
        "transform": {"type": "grayscale"},
    }


def _scheduler(workload: Workload) -> dict[str, Any]:
    return {
        "id": "OneCycle",
        "_target_": "torch.optim.lr_scheduler.OneCycleLR",
        "max_lr": LR,
        "total_steps": workload.epochs * math.ceil(workload.num_clips / BATCH_SIZE),
        "step_frequency": "batch",
    }


DATASET = {
    "id": "Clips",
    "_target_": "autrainer.datasets.BaseClassificationDataset",
    "path": "data",
    "features_subdir": "log_mel",
    "index_column": "path",
    "target_column": "label",
    "file_type": "npy",
    "file_handler": "autrainer.datasets.utils.NumpyFileHandler",
    "criterion": {"autrainer.criterions.CrossEntropyLoss": {"label_smoothing": SMOOTHING}},
    "metrics": ["autrainer.metrics.Accuracy"],
    "tracking_metric": "autrainer.metrics.Accuracy",
    "transform": {"type": "grayscale"},
}
PREPROCESSING = {
    "file_handler": {"autrainer.datasets.utils.AudioFileHandler": {"target_sample_rate": 16000}},
    "pipeline": ["autrainer_parts.Features"],
}
AUGMENTATION = {
    "id": "Masks",
    "_target_": "autrainer.augmentations.AugmentationPipeline",
    "pipeline": [
        {"autrainer.augmentations.FrequencyMask": {"freq_mask": 6, "axis": 0}},
        {"autrainer.augmentations.TimeMask": {"time_mask": 6, "axis": 1}},
    ],
}
OPTIMIZER = {
    "id": "DecayedAdamW",
    "_target_": "torch.optim.AdamW",
    "weight_decay": WEIGHT_DECAY,
    "apply_weight_decay_to_bias": True,
    "apply_weight_decay_to_norm": True,
}
