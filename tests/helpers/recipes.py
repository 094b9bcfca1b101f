"""Recipes and ablations that are quick to plan or to train."""

from typing import Any

from audiocls.design import Ablation, load_ablation

TINY: dict[str, Any] = {
    "data": {
        "name": "synthetic",
        "num_sources": 5,
        "clips_per_source": 1,
        "sample_rate": 8000,
        "duration_s": 0.5,
    },
    "features": {"name": "logmel", "n_mels": 16, "n_fft": 256, "hop": 128},
    "model": {"name": "logmel_cnn", "channels": [8, 8, 8, 8]},
    "optim": {"name": "adamw", "lr": 3e-3},
    "schedule": {"name": "constant"},
    "train": {"epochs": 2, "batch_size": 8},
}
"""A recipe that trains in a tenth of a second.

30 clips to train on, 10 to choose by, 10 to test on; ten classes; four steps an epoch.
"""

DEFAULTS: dict[str, Any] = {
    "data": {"name": "synthetic", "num_sources": 5, "clips_per_source": 1},
    "features": {"name": "logmel"},
    "model": {"name": "logmel_cnn"},
    "optim": {"name": "adamw"},
    "schedule": {"name": "constant"},
}
"""A recipe of default options, to plan with."""

TINY_RECIPE_YAML = """
data: {name: synthetic, num_sources: 5, clips_per_source: 1, sample_rate: 8000, duration_s: 0.5}
features: {name: logmel, n_mels: 16, n_fft: 256, hop: 128}
model: {name: logmel_cnn, channels: [8, 8, 8, 8]}
optim: {name: adamw, lr: 3.0e-3}
schedule: {name: onecycle}
train: {epochs: 3, batch_size: 8}
"""

TINY_ABLATION_YAML = """
name: tiny
question: Does dropout help a tiny network?
recipe: tiny
factors: {model.dropout: [0.1, 0.5]}
blocks: {seed: [0, 1], fold: [1]}
"""


def make_ablation(**given: Any) -> Ablation:
    """Return an ablation of the recipe `r` with the given entries of its file."""
    return load_ablation({"name": "a", "question": "?", "recipe": "r", **given}, "a.yaml")
