"""A script around Hugging Face's Trainer; the last statement makes its trials comparable."""

import argparse
import tempfile

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import EvalPrediction, Trainer, TrainingArguments, set_seed

import audiocls


class Clips(Dataset):
    """Noisy features (3,) with a label, the same in every trial."""

    def __init__(self, first: int, last: int):
        clips = torch.Generator().manual_seed(1)
        labels = torch.randint(3, (400,), generator=clips)
        noise = torch.randn(400, 3, generator=clips)
        self.labels = labels[first:last]
        self.features = (nn.functional.one_hot(labels, 3) + noise)[first:last]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"features": self.features[index], "labels": self.labels[index]}


class Network(nn.Module):
    """Returns loss and logits, as the Trainer wants them."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Shape: (B, 3), (B,) → loss (), logits (B, 3)"""
        logits = self.layers(features)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def accuracy(found: EvalPrediction) -> dict[str, float]:
    """Return the accuracy, which the Trainer calls `eval_acc`."""
    return {"acc": float((found.predictions.argmax(1) == found.label_ids).mean())}


def main() -> None:
    """Train, test, report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    set_seed(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            folder,
            num_train_epochs=5,
            per_device_train_batch_size=50,
            learning_rate=0.02,
            seed=given.seed,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
        )
        trainer = Trainer(
            Network(given.width), options, train_dataset=Clips(0, 200), compute_metrics=accuracy
        )
        trainer.train()
        tested = trainer.predict(Clips(200, 400), metric_key_prefix="eval")

    audiocls.report_result(
        test_acc=tested.metrics["eval_acc"],
        cost={"epochs": 5, "steps": trainer.state.global_step},
        predictions={
            "clip": [f"clip{n}" for n in range(200)],
            "label": tested.label_ids,
            "logits": tested.predictions,
        },
    )


if __name__ == "__main__":
    main()
