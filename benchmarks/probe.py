"""How long a linear probe of cached vectors takes, beside a bare loop in torch that does as much.

Both arms train 240 clips of 768 numbers for 100 epochs on one thread, alternated; counted is CPU
time. The trial validates after each epoch, keeps its best weights and measures gradients besides.
This file is the encoder as well: a module with the HEAR interface.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.audio.clips import fingerprint
from audiocls.audio.dataset import AudioDataset
from audiocls.config import Config, resolve
from audiocls.execution.worker_cache import WorkerCache
from audiocls.parts import KEPT, OWN_FILES
from audiocls.training.fit import Signal, fit
from audiocls.training.pack import Member, fit_pack
from audiocls.training.state import TrainingState, build

EPOCHS, BATCH_SIZE, LR, WIDTH, PACK = 100, 32, 3e-3, 768, 8


def load_model(model_file_path: str = "") -> SimpleNamespace:
    """Return the encoder: random projections of 25 ms of sound."""
    draws = torch.Generator().manual_seed(0)
    return SimpleNamespace(sample_rate=16000, weights=torch.randn(400, WIDTH, generator=draws))


def get_timestamp_embeddings(audio: Tensor, model: SimpleNamespace) -> tuple[Tensor, Tensor]:
    """Return frames, and their times in ms. Shape: (B, T) → (B, L, D), (B, L)"""
    frames = audio.unfold(1, 400, 400) @ model.weights
    return frames, torch.arange(frames.shape[1]).expand(len(audio), -1) * 25.0


def get_scene_embeddings(audio: Tensor, model: SimpleNamespace) -> Tensor:
    """Return the mean over frames. Shape: (B, T) → (B, D)"""
    return get_timestamp_embeddings(audio, model)[0].mean(1)


def planned(seed: int) -> dict[str, Any]:
    """Return the configuration of a linear probe of 240 training and 80 validation clips."""
    data = {"name": "synthetic", "sample_rate": 16000, "num_sources": 40, "clips_per_source": 1}
    recipe = {
        "data": data,
        "features": {"name": "hear", "model": "probe:load_model"},
        "model": {"name": "linear"},
        "optim": {"name": "adamw", "lr": LR},
        "schedule": {"name": "cosine"},
        "train": {"epochs": EPOCHS, "batch_size": BATCH_SIZE},
        "seed": seed,
    }
    return resolve([recipe], "the benchmark", OWN_FILES).model_dump()


def config_of(plan: dict[str, Any]) -> Config:
    """Return a planned configuration as a worker reads it."""
    return Config.model_validate(plan, context=KEPT)


def trial(dataset: AudioDataset, plan: dict[str, Any]) -> float:
    """Return the CPU seconds of a trial."""
    started = time.process_time()
    fit(build(config_of(plan), dataset), lambda _: Signal.CONTINUE)
    return time.process_time() - started


def pack(dataset: AudioDataset, plans: Sequence[dict[str, Any]]) -> float:
    """Return the CPU seconds of each of several trials that are trained as one."""
    started = time.process_time()
    states = [build(config_of(plan), dataset) for plan in plans]
    fit_pack([Member(state, lambda _: Signal.CONTINUE) for state in states])
    return (time.process_time() - started) / len(plans)


def bare(state: TrainingState) -> float:
    """Return the CPU seconds of the same steps, and nothing else."""
    clips = torch.from_numpy(state.split.train)
    assert state.stored is not None, "vectors are cached"
    inputs, targets = state.stored.of(clips)[:, :, 0], state.dataset.targets[clips]
    model = nn.Linear(WIDTH, len(state.dataset.table.labels))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)
    started = time.process_time()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(clips)).split(BATCH_SIZE):
            loss = F.cross_entropy(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return time.process_time() - started


def main(rounds: int) -> None:
    """Alternate the arms, and print each one's least and median time."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        plans = [planned(seed) for seed in range(PACK)]
        cache, config = Path(folder), config_of(plans[0])
        known = fingerprint(config.data.table(cache), cache)
        dataset = WorkerCache(cache).dataset(config, known)
        state = build(config, dataset)
        arms = {
            "a trial": lambda: trial(dataset, plans[0]),
            f"a trial of a pack of {PACK}": lambda: pack(dataset, plans),
            "the bare loop": lambda: bare(state),
        }
        times: dict[str, list[float]] = {name: [] for name in arms}
        for run in arms.values():  # to warm up
            run()
        for _ in range(rounds):
            for name, run in arms.items():
                times[name].append(run())
    for name, seconds in times.items():
        ratio = min(seconds) / min(times["the bare loop"])
        print(
            f"{name:22} {min(seconds):.3f} s at least, {statistics.median(seconds):.3f} median, "
            f"{ratio:.2f} times the bare loop"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
