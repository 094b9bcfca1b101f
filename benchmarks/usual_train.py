"""The usual way to train one trial: a script of its own, started once per trial by an agent.

Clips are decoded and turned into log-mel bands in `__getitem__`, a DataLoader with two workers
collates them, training is fp32 on the default threads, and W&B logs each epoch offline. Only the
model, the seeds and the order of the clips come from audiocls, so that losses can be compared.

Legend: B batch, F mel bands, L frames, K classes.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import soundfile  # noqa: TID251  (the usual way decodes where it trains)
import torch
import torch.nn.functional as F
import torchaudio
import wandb  # noqa: TID251  (the usual way logs where it trains)
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from audiocls.models import LogMelCNN
from audiocls.seeding import seed_of

FOLD = 1
NUM_WORKERS = 2
SAMPLE_RATE, N_FFT, HOP, N_MELS = 16000, 400, 160, 64


class Clips(Dataset[tuple[Tensor, int]]):
    """The clips of one split: log-mel bands (F, L) and the label, made anew at each access."""

    def __init__(self, root: Path, split: str):
        with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.labels = sorted({row["label"] for row in rows})
        self.root = root
        self.rows = [row for row in rows if row["split"] == split]
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self.rows[index]
        samples, _ = soundfile.read(self.root / row["path"], dtype="float32")
        features = torch.log(self.mel(torch.from_numpy(samples)) + 1e-6)
        features = (features - features.mean()) / features.std(correction=0)
        return features, self.labels.index(row["label"])


class SharedOrder(Sampler[list[int]]):
    """Batches of indices in audiocls's order, another one for each `epoch`, which training sets."""

    def __init__(self, num_clips: int, batch_size: int, seed: int):
        self.num_clips, self.batch_size, self.seed = num_clips, batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.num_clips // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        seed = seed_of(self.seed, FOLD, "order", self.epoch)
        generator = torch.Generator().manual_seed(seed_of(seed, 0, "order"))
        order = torch.randperm(self.num_clips, generator=generator)
        return (batch.tolist() for batch in order.tensor_split(len(self)))


def main() -> None:
    args = arguments()
    run = wandb.init(
        project="usual", group="throughput", name=f"lr-{args.lr} s{args.seed}", config=vars(args)
    )
    train = Clips(args.data, "train")
    order = SharedOrder(len(train), args.batch_size, args.seed)
    train_loader = DataLoader(
        train, batch_sampler=order, num_workers=NUM_WORKERS, persistent_workers=True
    )
    val_loader = DataLoader(
        Clips(args.data, "val"), args.batch_size, num_workers=NUM_WORKERS, persistent_workers=True
    )
    test_loader = DataLoader(Clips(args.data, "test"), args.batch_size, num_workers=NUM_WORKERS)
    torch.manual_seed(seed_of(args.seed, FOLD, "init"))
    model = LogMelCNN().build((N_MELS, SAMPLE_RATE // HOP + 1), len(train.labels))
    rows = fit(model, train_loader, val_loader, order, args)
    model.load_state_dict(torch.load(args.out / "best.pt"))
    test_loss, test_accuracy = score(model, test_loader)
    run.summary.update({"test/loss": test_loss, "test/accuracy": test_accuracy})
    run.finish()
    answer = {"rows": rows, "test/accuracy": test_accuracy}
    (args.out / "result.json").write_text(json.dumps(answer))


def fit(
    model: nn.Module,
    train_loader: DataLoader,
    val_loader: DataLoader,
    order: SharedOrder,
    args: argparse.Namespace,
) -> list[dict[str, float]]:
    """Train, log, keep the best epoch's weights in `best.pt`; the rows that were logged."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, args.epochs * len(train_loader), cycle_momentum=False
    )
    rows: list[dict[str, float]] = []
    best = (-1.0, 0.0)
    for epoch in range(args.epochs):
        order.epoch = epoch
        train_loss = train_epoch(model, train_loader, optimizer, schedule)
        val_loss, val_accuracy = score(model, val_loader)
        row = {"train/loss": train_loss, "val/loss": val_loss, "val/accuracy": val_accuracy}
        wandb.log({"epoch": epoch + 1, **row})
        rows.append(row)
        if (val_accuracy, -val_loss) > best:
            best = (val_accuracy, -val_loss)
            torch.save(model.state_dict(), args.out / "best.pt")
    return rows


def train_epoch(
    model: nn.Module,
    loader: DataLoader,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """One pass over the training clips; the mean loss of a clip."""
    model.train()
    total, count = 0.0, 0
    for features, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(features), labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


@torch.inference_mode()
def score(model: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """Mean loss and accuracy."""
    model.eval()
    batches = [(model(features), labels) for features, labels in loader]
    logits, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    accuracy = (logits.argmax(1) == labels).double().mean()
    return float(F.cross_entropy(logits, labels)), float(accuracy)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
