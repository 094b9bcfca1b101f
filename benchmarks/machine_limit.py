"""What this machine could train at most: nothing but forward, backward and step on every core.

As a script it is one such process: features in memory, one thread, no tracking, no scheduler, no
records. It warms up, says `ready`, waits for a line, and then trains trials back to back.

Legend: N clips, F mel bands, L frames.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from usual_train import Clips
from workload import BATCH_SIZE, RATES, Workload

from audiocls.execution.devices import core_ids, worker_environment
from audiocls.models import LogMelCNN

NUM_TRIALS = 4
"""Of each process."""


def write_features(workload: Workload, file: Path) -> Path:
    """Features (N, F, L) and labels of every split, as the processes read them."""
    tensors = {}
    for split in ("train", "val", "test"):
        features, labels = zip(*Clips(workload.data, split), strict=True)
        tensors[split] = (torch.stack(features), torch.tensor(labels))
    torch.save(tensors, file)
    return file


def trials_per_hour(workload: Workload, features: Path) -> float:
    """The sum over one process per core, all training at once."""
    environment = worker_environment(os.environ, "cpu")
    command = [sys.executable, __file__, str(features), str(workload.epochs)]
    processes = [_start(command, environment, core) for core in core_ids()]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    answers = [process.communicate("go\n")[0] for process in processes]
    return sum(3600 * NUM_TRIALS / float(json.loads(answer)) for answer in answers)


def _start(command: list[str], environment: dict[str, str], core: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {core})
    return process


def main() -> None:
    torch.set_num_threads(1)
    splits, epochs = torch.load(sys.argv[1]), int(sys.argv[2])
    _train(splits, epochs)
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.monotonic()
    for _ in range(NUM_TRIALS):
        _train(splits, epochs)
    print(time.monotonic() - started, flush=True)


def _train(splits: dict[str, tuple[Tensor, Tensor]], epochs: int) -> None:
    """One trial: `epochs` passes, validation after each, the test clips at the end."""
    features, labels = splits["train"]
    model = LogMelCNN().build(tuple(features.shape[1:]), 1 + int(labels.max()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATES[0])
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(labels)).split(BATCH_SIZE):
            optimizer.zero_grad()
            F.cross_entropy(model(features[batch]), labels[batch]).backward()
            optimizer.step()
        _score(model, splits["val"][0])
    _score(model, splits["test"][0])


def _score(model: nn.Module, features: Tensor) -> None:
    model.eval()
    with torch.inference_mode():
        for batch in features.split(BATCH_SIZE):
            model(batch)


if __name__ == "__main__":
    main()
