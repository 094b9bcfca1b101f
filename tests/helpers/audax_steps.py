"""What `benchmarks/audax_steps.py` and `tests/test_audax_steps.py` share: weights, batches, names.

The one gives them to audax (in JAX, without torch) and stores what optimiser steps make of them,
the other to ours. Values are drawn by numpy, whose streams are the same everywhere, keyed by our
name of each tensor; `our_name` is that of a tensor in audax' tree. There an image is (time,
frequency, channels), here (channels, frequency, time).
"""

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).parents[1] / "golden" / "audax_steps.json"
NUM_CLASSES, LABELS = 10, (3, 7, 5, 0)
NUM_STEPS, NUM_EPOCHS, WARMUP_EPOCHS, EPOCH_STEPS = 3, 50, 5, 2
LR, WEIGHT_DECAY = 5e-4 * 1024 / 256, 1e-4
EMBEDDING, SSL_LR, SSL_WEIGHT_DECAY = 16, 1e-3, 1e-6
LARS_SHAPES = {"weight": (3, 4), "bias": (3,), "zeros": (2,)}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A recipe's network, at full size or narrower, and the loss that it is trained by."""

    name: str
    recipe: str
    arch: str
    """audax' name of the network."""
    width: int = 64
    """Of a ResNet."""
    mode: str = "classes"
    """`classes`, or a contrastive mode."""
    num_bands: int = 64
    num_frames: int = 104
    """Fewer where JAX' depthwise convolutions would take an hour."""


CASES = (
    Case("narrow resnet18", "audax-resnet18", "ResNet18", width=4),
    Case("cola", "audax-resnet18", "ResNet18", width=4, mode="cola"),
    Case("cola-dot", "audax-resnet18", "ResNet18", width=4, mode="cola-dot"),
    Case("simclr", "audax-resnet18", "ResNet18", width=4, mode="simclr"),
    Case("narrow resnet50", "audax-resnet18", "ResNet50", width=4),
    Case("audax-resnet18", "audax-resnet18", "ResNet18"),
    Case(
        "audax-efficientnet-b0",
        "audax-efficientnet-b0",
        "efficientnet_b0",
        num_bands=32,
        num_frames=36,
    ),
    Case(
        "audax-convnext-tiny", "audax-convnext-tiny", "convnext_tiny", num_bands=32, num_frames=36
    ),
)
BLOCKS = {"ResNet18": (2, 2, 2, 2), "ResNet50": (3, 4, 6, 3)}


def first_value(name: str, shape: tuple[int, ...]) -> Array:
    """What a tensor starts from: scales and variances near 1, all else near 0."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    is_scale = len(shape) == 1 and name.endswith(("weight", "running_var"))
    return is_scale + 0.05 * rng.standard_normal(shape)


def features(case: Case, step: int) -> Array:
    """Features of a step's clips, in a contrastive mode of two views each. Shape: → (B, F, L)"""
    num_clips = len(LABELS) * (1 if case.mode == "classes" else 2)
    shape = (num_clips, case.num_bands, case.num_frames)
    return np.random.default_rng(2000 + step).standard_normal(shape)


def waveforms() -> Array:
    """A loud clip and a faint one, 0.1 s. Shape: → (2, 1600)"""
    noise = np.random.default_rng(3000).standard_normal((2, 1600))
    return noise * np.array([[0.1], [0.001]])


def lars_arrays(step: int) -> dict[str, Array]:
    """Weights (step 0) or a step's gradients (from 1 on) for LARS."""
    rng = np.random.default_rng(4000 + step)
    drawn = {name: rng.standard_normal(shape) for name, shape in LARS_SHAPES.items()}
    return drawn | ({"zeros": np.zeros(2)} if step == 0 else {})


def summary(before: dict[str, Array], after: dict[str, Array]) -> dict[str, tuple[float, float]]:
    """Norm and sum of each tensor's update."""
    changes = {name: (after[name] - before[name]).ravel() for name in before}
    return {name: (float(np.sqrt(c @ c)), float(c.sum())) for name, c in changes.items()}


LEAF = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean"}
LEAF |= {"var": "running_var", "gamma": "scale", "bilinear_product_weight": "similarity"}
HEADS = {"embedding_fc": "projection", "bilinear_layernorm": "norm"}


def our_name(path: tuple[str, ...], case: Case) -> str:
    """The name in our network of a tensor of audax' tree."""
    *place, leaf = path
    if place[0] == "encoder":
        found = _encoder_name(tuple(place[1:]), case.arch)
    elif place[0] == "similarity_layer":
        return "head.similarity"
    else:
        found = "head" if place[0] == "fc" else f"head.{HEADS[place[0]]}"
    return f"{found}.{LEAF[leaf]}"


def _encoder_name(place: tuple[str, ...], arch: str) -> str:
    if arch.startswith("ResNet"):
        return _resnet_name(place, arch)
    return _efficientnet_name(place) if arch.startswith("eff") else _convnext_name(place)


def _resnet_name(place: tuple[str, ...], arch: str) -> str:
    if len(place) == 1:
        return {"conv_init": "stem.0", "bn_init": "stem.1"}[place[0]]
    number, stage = _number(place[0]), 0
    while number >= BLOCKS[arch][stage]:
        number, stage = number - BLOCKS[arch][stage], stage + 1
    layer = place[1]
    if layer.endswith("_proj"):
        inside = "shortcut.0" if layer == "conv_proj" else "shortcut.1"
    else:
        inside = f"branch.{3 * _number(layer) + layer.startswith('BatchNorm')}"
    return f"stages.{stage}.{number}.{inside}"


def _efficientnet_name(place: tuple[str, ...]) -> str:
    if place[0].startswith("ConvNorm"):
        last = "1" if place[1].startswith("Batch") else "0"
        return f"{('stem', 'widen')[_number(place[0])]}.{last}"
    block = _number(place[0])
    first = 0 if block > 0 else -1  # the first block does not expand
    if place[1].startswith("Squeeze"):
        return f"blocks.{block}.branch.{first + 2}.gate.{0 if place[2] == 'reduce' else 2}"
    position, is_norm = _number(place[1]) - first, int(place[2].startswith("Batch"))
    if position == 2:  # the projection is no sequence of its own
        return f"blocks.{block}.branch.{first + 3 + is_norm}"
    return f"blocks.{block}.branch.{position + first}.{is_norm}"


def _convnext_name(place: tuple[str, ...]) -> str:
    if len(place) == 1:
        return "stem.0.conv" if place[0].startswith("Conv") else "stem.1.norm"
    stage = _number(place[0])
    if not place[1].startswith("ConvNeXtBlock"):
        return f"stages.{stage}.{'1.conv' if place[1].startswith('Conv') else '0.norm'}"
    block = f"stages.{stage}.{_number(place[1]) + (2 if stage else 0)}"
    if len(place) == 2:  # the layer scale, a tensor of the block itself
        return block
    inside = {"Conv_0": "depthwise", "LayerNorm_0": "perceptron.0"}
    dense = {"Dense_0": "perceptron.1", "Dense_1": "perceptron.3"}
    return f"{block}.{inside[place[2]] if place[2] in inside else dense[place[3]]}"


def _number(name: str) -> int:
    found = re.search(r"_(\d+)$", name)
    assert found, name
    return int(found[1])
