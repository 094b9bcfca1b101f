"""A PyTorch loop of your own; the last statement makes its trials comparable."""

import argparse
import time

import torch
from torch import nn

import audiocls


def main() -> None:
    """Train a small network on noisy features, test it, report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    clips = torch.Generator().manual_seed(1)  # the same clips in every trial
    labels = torch.randint(3, (400,), generator=clips)
    features = nn.functional.one_hot(labels, 3) + torch.randn(400, 3, generator=clips)
    torch.manual_seed(given.seed)
    network = nn.Sequential(nn.Linear(3, given.width), nn.ReLU(), nn.Linear(given.width, 3))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.02)
    started = time.monotonic()
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(features[:200]), labels[:200]).backward()
        optimizer.step()
    seconds = time.monotonic() - started
    logits, truth = network(features[200:]).detach(), labels[200:]

    audiocls.report_result(
        test_acc=(logits.argmax(1) == truth).float().mean(),
        cost={
            "epochs": 30,
            "num_params": sum(each.numel() for each in network.parameters()),
            "wall_s": seconds,
        },
        predictions={"clip": [f"clip{n}" for n in range(200)], "label": truth, "logits": logits},
    )


if __name__ == "__main__":
    main()
