"""A Lightning script of your own; the last statement makes its trials comparable."""

import argparse

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import audiocls


class Classifier(lightning.LightningModule):
    """A small network; its test accuracy is logged as `test_acc`."""

    def __init__(self, width: int):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 3))

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        """Return the loss of one batch."""
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def test_step(self, batch: list[torch.Tensor], index: int) -> None:
        """Log the accuracy of one batch."""
        self.log("test_acc", (self.network(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser."""
        return torch.optim.AdamW(self.parameters(), lr=0.02)


def main() -> None:
    """Train, test, report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    clips = torch.Generator().manual_seed(1)  # the same clips in every trial
    labels = torch.randint(3, (400,), generator=clips)
    features = nn.functional.one_hot(labels, 3) + torch.randn(400, 3, generator=clips)
    lightning.seed_everything(given.seed)
    trainer = lightning.Trainer(
        max_epochs=5, accelerator="cpu", logger=False, enable_checkpointing=False
    )
    model = Classifier(given.width)
    trainer.fit(model, DataLoader(TensorDataset(features[:200], labels[:200]), 50, shuffle=True))
    [tested] = trainer.test(model, DataLoader(TensorDataset(features[200:], labels[200:]), 200))

    audiocls.report_result(tested, cost={"epochs": 5, "steps": trainer.global_step})


if __name__ == "__main__":
    main()
