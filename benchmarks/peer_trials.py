"""The trials of `peers.py` as users of other tools write them, all on one training function.

Clips are decoded and turned into log-mel bands in `__getitem__`, a DataLoader without workers
collates them, training is fp32 on the default threads. Only the model comes from audiocls.

    python peer_trials.py {optuna|ray|script} --data DIR --out FILE --epochs N --seeds N [--cell N]

Legend: B batch, T samples, F mel bands, L frames.
"""

import argparse
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import soundfile
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from audiocls.models import ConvNeXt1d

DROPOUTS = (0.0, 0.05, 0.1, 0.25)
"""The arms of the ablation `dropout`; the model, features and optimiser are its recipe's."""
SAMPLE_RATE, N_FFT, HOP, N_MELS = 16000, 512, 256, 64
BATCH_SIZE, LR, WEIGHT_DECAY, SMOOTHING = 24, 3e-3, 0.05, 0.1

Trial = tuple[float, int]
"""Dropout and seed."""


class Outcome(NamedTuple):
    """What a trial reached: so that arms which are compared can be seen to have done the same."""

    accuracy: float
    """Share of the test clips, by the weights that were best on the validation clips."""
    train_loss: float
    """Mean of the last epoch's batches."""


class LogMel(nn.Module):
    """Turns a waveform (..., T) into log-mel bands (..., F, L), standardised over the clip."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
        )

    def forward(self, samples: Tensor) -> Tensor:
        features = torch.log(self.mel(samples) + 1e-6)
        standardised: Tensor = (features - features.mean()) / features.std(correction=0)
        return standardised


def network(dropout: float, num_classes: int) -> nn.Module:
    """Return the recipe's model, from (B, F, L) to logits."""
    options = ConvNeXt1d(
        stem_width=32, stem_stride=1, strides=(2, 2), blocks=1, kernel=9, expansion=2,
        dropout=dropout,
    )  # fmt: skip
    return options.build((N_MELS, SAMPLE_RATE // HOP + 1), num_classes)


class Clips(Dataset[tuple[Tensor, int]]):
    """The clips of one split: log-mel bands (F, L) and the label, made anew at each access."""

    def __init__(self, root: Path, split: str):
        with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.labels = sorted({row["label"] for row in rows})
        self.root, self.is_training = root, split == "train"
        self.rows = [row for row in rows if row["split"] == split]
        self.log_mel = LogMel()
        self.masks = nn.Sequential(
            torchaudio.transforms.FrequencyMasking(6), torchaudio.transforms.TimeMasking(6)
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self.rows[index]
        samples, _ = soundfile.read(self.root / row["path"], dtype="float32")
        features = self.log_mel(torch.from_numpy(samples))
        masked = self.masks(features[None])[0] if self.is_training else features
        return masked, self.labels.index(row["label"])


def train(trial: Trial, data: Path, epochs: int) -> Outcome:
    """Train one trial and score its best weights on the test clips."""
    dropout, seed = trial
    torch.manual_seed(seed)
    clips = Clips(data, "train")
    loader = DataLoader(clips, BATCH_SIZE, shuffle=True)
    val, test = (DataLoader(Clips(data, split), 64) for split in ("val", "test"))
    model = network(dropout, len(clips.labels))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, epochs * len(loader))
    best, weights, losses = -1.0, model.state_dict(), list[float]()
    for _ in range(epochs):
        model.train()
        losses = []
        for features, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(features), labels, label_smoothing=SMOOTHING)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        if (accuracy := score(model, val)) > best:
            best = accuracy
            weights = {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(weights)
    return Outcome(score(model, test), sum(losses) / len(losses))


@torch.inference_mode()
def score(model: nn.Module, loader: DataLoader[tuple[Tensor, int]]) -> float:
    """Return the accuracy."""
    model.eval()
    right = [(model(features).argmax(1) == labels) for features, labels in loader]
    return float(torch.cat(right).double().mean())


def with_optuna(trials: list[Trial], objective: Callable[[Trial], Outcome]) -> list[Outcome]:
    """One process, one study in memory, its trials given."""
    import optuna

    study, outcomes = optuna.create_study(direction="maximize"), list[Outcome]()
    for dropout, seed in trials:
        study.enqueue_trial({"dropout": dropout, "seed": seed})

    def run(trial: optuna.Trial) -> float:
        dropout = trial.suggest_float("dropout", 0.0, 0.5)
        outcomes.append(objective((dropout, trial.suggest_int("seed", 0, 1000))))
        return outcomes[-1].accuracy

    study.optimize(run, n_trials=len(trials))
    return outcomes


def with_ray(trials: list[Trial], objective: Callable[[Trial], Outcome]) -> list[Outcome]:
    """A trial a core at a time, each in an actor of its own."""
    from ray import tune

    def run(config: dict[str, Trial]) -> None:
        tune.report(objective(config["trial"])._asdict())

    tuner = tune.Tuner(run, param_space={"trial": tune.grid_search(trials)})
    found = [each.metrics or {} for each in tuner.fit()]
    return [Outcome(each["accuracy"], each["train_loss"]) for each in found]


def main() -> None:
    args = arguments()
    trials = [(dropout, seed) for seed in range(args.seeds) for dropout in DROPOUTS]

    def objective(trial: Trial) -> Outcome:
        return train(trial, args.data, args.epochs)

    if args.tool == "script":
        outcomes = [objective(trials[args.cell])]
    else:
        outcomes = {"optuna": with_optuna, "ray": with_ray}[args.tool](trials, objective)
    args.out.write_text(json.dumps(outcomes))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=("optuna", "ray", "script"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--cell", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
