"""Learners of simulated studies: trained on some folds of a view, tested on another.

Legend: N studies, A arms, R recordings of a fold, M clips of a recording, C classes, D inputs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Data and learners, alike for every arm: each has its own, equally good view of the clips."""

    num_recordings: int = 100
    clips_each: int = 2
    num_folds: int = 5
    """Of the whole protocol: one to test, one to choose, the others to train on."""
    num_classes: int = 4
    num_inputs: int = 6
    separation: float = 2.4
    """Distance of a class from the centre, in sds of a clip."""
    of_recording: float = 0.5
    """Share of a clip's variance that all clips of its recording have in common."""
    in_common: float = 0.5
    """Share of a clip's variance that all arms see alike."""
    seed_noise: float = 0.2
    """Sd of what a seed adds to each learned class centre, in sds of a clip."""
    learner: str = "centroid"
    """`centroid` (nearest class mean), `chosen` (the same on the two inputs that tell the training
    clips apart best) or `features` (ridge regression on random features)."""
    collapse: float = 0.0
    """Share of trainings that go wrong and answer almost at random."""

    @property
    def ratio(self) -> float:
        """Test clips per training clip."""
        return 1 / (self.num_folds - 2)


def train_and_test(
    world: World,
    inputs: Array,
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    fold: int,
    weights: Array,
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    """Return the classes that clips of the fold are taken for. Shape: → (N, A, R, M)"""
    trained = (folds != fold) & (folds != (fold + 1) % world.num_folds)
    tested = folds == fold
    train, test = inputs[:, :, trained], inputs[:, :, tested]
    if world.learner == "chosen":
        train, test = _chosen_inputs(train, test, labels[trained])
    learn = _feature_scores if world.learner == "features" else _centroid_scores
    scores = learn(world, train, labels[trained], test, weights, rng)
    if world.collapse:
        wrong = rng.random(scores.shape[:2]) < world.collapse
        scores = scores + 1e3 * wrong[:, :, None, None, None] * rng.normal(size=scores.shape)
    return np.asarray(scores.argmax(-1), dtype=np.int8)


def _chosen_inputs(train: Array, test: Array, labels: NDArray[np.int64]) -> tuple[Array, Array]:
    """Shape: (N, A, …, D) each → the same with all but two inputs at 0"""
    means = np.stack([train[:, :, labels == way].mean(axis=(2, 3)) for way in set(labels)], axis=2)
    spread = means.var(axis=2)
    chosen = spread >= np.sort(spread, axis=-1)[..., -2:-1]
    mask = chosen[:, :, np.newaxis, np.newaxis]
    return train * mask, test * mask


def _centroid_scores(
    world: World,
    train: Array,
    labels: NDArray[np.int64],
    test: Array,
    weights: Array,
    rng: np.random.Generator,
) -> Array:
    """Shape: → (N, A, R, M, C)"""
    ways = range(world.num_classes)
    centres = np.stack([train[:, :, labels == way].mean(axis=(2, 3)) for way in ways], axis=2)
    centres += world.seed_noise * rng.normal(size=centres.shape)
    products = np.einsum("narmd,nacd->narmc", test, centres, optimize=True)
    return np.asarray(products - (centres**2).sum(-1)[:, :, None, None] / 2)


def _feature_scores(
    world: World,
    train: Array,
    labels: NDArray[np.int64],
    test: Array,
    weights: Array,
    rng: np.random.Generator,
) -> Array:
    """A layer of random units, drawn by the seed, and a linear one that is fitted."""

    def hidden(inputs: Array) -> Array:
        flat = inputs.reshape(*inputs.shape[:2], -1, inputs.shape[-1])
        return np.maximum(flat @ weights + 0.5, 0.0)

    units = hidden(train)
    targets = np.repeat(np.eye(world.num_classes)[labels], world.clips_each, axis=0)
    gram = units.swapaxes(-1, -2) @ units + 5.0 * np.eye(units.shape[-1])
    learned = np.linalg.solve(gram, units.swapaxes(-1, -2) @ targets)
    return np.asarray((hidden(test) @ learned).reshape(*test.shape[:-1], -1))
