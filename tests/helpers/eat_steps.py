"""What `benchmarks/eat_steps.py` and `tests/test_eat_steps.py` share: the same weights and batches.

The one gives them to the authors' code and stores what two optimiser steps make of them, the other
to ours. Weights and waveforms are drawn by numpy, whose streams are the same everywhere, keyed by
our name of each tensor; `authors_name` is that of the same tensor in the authors' code.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).parents[1] / "golden" / "eat_steps.json"
NUM_CLASSES = 10
SAMPLE_RATE = 16_000
LABELS, OTHER_LABELS = (3, 7), (5, 0)
"""Of the two clips and of those that they are mixed with in the second step."""
MULTI_LABELS, OTHER_MULTI_LABELS = ((3,), (7, 8, 1)), ((5, 3), (0,))
SHARES = (0.95, 0.7)
"""Of the first clips in the mixture: the other one counts below 0.9 only."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A recipe at full size, on two clips as short as its network takes."""

    recipe: str
    num_samples: int
    factors: tuple[int, ...]
    epoch_steps: int
    num_epochs: int
    size: Mapping[str, int]
    """The authors' flags: nf, emb_dim, dim_feedforward, n_layers, n_head."""
    is_multi_label: bool = False


S = {"nf": 16, "embed_dim": 128, "dim_feedforward": 512, "n_layers": 4, "nhead": 8}
M = {"nf": 32, "embed_dim": 256, "dim_feedforward": 2048, "n_layers": 6, "nhead": 16}
CASES = (
    Case("eat-s-esc50", 32_768, (4, 4, 4, 4), 20, 3500, S),
    Case("eat-s-urbansound8k", 32_768, (4, 4, 4, 4), 20, 3500, S),
    Case("eat-s-speechcommands", 8_192, (4, 4, 4), 15, 1500, S),
    Case("eat-m-audioset", 32_768, (4, 4, 4, 4), 20, 250, M, is_multi_label=True),
)


def first_value(name: str, shape: tuple[int, ...]) -> Array:
    """The weights that a tensor starts from: scales near 1, all else near 0."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    is_scale = len(shape) == 1 and name.endswith("weight")
    return (is_scale + 0.05 * rng.standard_normal(shape)).astype(np.float32)


def waveforms(num_samples: int, step: int) -> Array:
    """The two clips of a step. Shape: → (2, T)"""
    rng = np.random.default_rng(1000 + step)
    return (0.3 * rng.standard_normal((2, num_samples))).astype(np.float32)


def hot(labels: tuple[Any, ...]) -> Array:
    """One-hot or multi-hot rows. Shape: → (2, K)"""
    rows = np.zeros((len(labels), NUM_CLASSES), np.float32)
    for row, label in zip(rows, labels, strict=True):
        row[list(np.atleast_1d(label))] = 1
    return rows


def summary(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, Any]:
    """What is stored of an update: its norm, and of each tensor's the norm and the sum."""
    change = {name: (after[name].astype(float) - before[name]).ravel() for name in sorted(before)}
    told = {name: [_rounded(np.sqrt(c @ c)), _rounded(c.sum())] for name, c in change.items()}
    return {"update norm": float(np.sqrt(sum(float(c @ c) for c in change.values()))), "of": told}


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


BLOCK = {
    "linear": "shortcut",
    "pointwise.0": "block_f.0",
    "pointwise.1": "block_f.1",
    "depthwise.0": "block_t.1",
    "depthwise.1": "block_t.2",
    "widen.0": "down.1",
    "widen.1": "down.2",
}
LAYER = {
    "attention.mix_in.": "self_attn.in_proj_",
    "attention.mix_out.": "self_attn.out_proj.",
    "feedforward.0.": "linear1.",
    "feedforward.3.": "linear2.",
}


def authors_name(ours: str, num_factors: int) -> str:
    """The name of a parameter in the authors' network."""
    if found := re.fullmatch(r"convolutions\.0\.([01])\.(\w+)", ours):
        return f"start.{int(found[1]) + 1}.{found[2]}"
    if found := re.fullmatch(r"convolutions\.(\d+)\.(.+)\.(\w+)", ours):
        index, num_first = int(found[1]) - 1, num_factors + (num_factors + 1) // 2
        place = f"down.{index}" if index < num_first else f"down2.{index - num_first}"
        return f"{place}.{BLOCK[found[2]]}.{found[3]}"
    if ours.startswith("layers."):
        for mine, theirs in LAYER.items():
            ours = ours.replace(mine, theirs)
        return f"tf.transformer_enc.{ours}"
    others = {"token": "tf.cls_token", "positions": "tf.pos_embed"}
    for mine, theirs in (("norm.", "tf.transformer_enc.norm."), ("head.", "tf.fc.")):
        if ours.startswith(mine):
            return theirs + ours.removeprefix(mine)
    return others.get(ours, ours)
