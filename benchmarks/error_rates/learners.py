"""Simulated studies whose arms are learners, trained anew on overlapping sets of fresh clips.

Legend: N studies, A arms (the first is the baseline), S seeds, K folds used, R recordings of a
fold, M clips of a recording, C classes, D inputs of a view.
"""

from dataclasses import replace

import numpy as np
from fitting import World, train_and_test
from numpy.typing import NDArray

Array = NDArray[np.float64]


QUIET = World(seed_noise=0.05)
NOISY = World(seed_noise=0.7)
FEATURES = World(learner="features", num_inputs=8, separation=2.0)
CHOSEN = World(learner="chosen", num_classes=2, num_inputs=12, separation=1.0, seed_noise=0.1)
COLLAPSING = replace(QUIET, collapse=0.05)
SCARCE = World(num_recordings=40, clips_each=5, num_inputs=24, separation=2.2, of_recording=0.3)
LARGE = World(num_recordings=400, clips_each=1, seed_noise=0.5)


def correctness(
    world: World, num: int, num_arms: int, num_seeds: int, num_used: int, seed: int = 0
) -> Array:
    """Return which clips each trial gets right, 1 or 0, for `num_arms` arms and their baseline.

    Shape: → (N, A, S, K, R, M)
    """
    answers, labels = answers_of(world, num, num_arms, num_seeds, num_used, seed)
    return np.asarray(answers == labels[..., None], dtype=float)


def answers_of(
    world: World, num: int, num_arms: int, num_seeds: int, num_used: int, seed: int = 0
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Return the class that each trial takes a clip for, and the right ones of recordings.

    Shape: → (N, A, S, K, R, M), (K, R)
    """
    rng = np.random.default_rng(seed)
    labels, folds = _layout(world)
    inputs = _views(world, labels, num, num_arms + 1, rng)
    weights = rng.normal(size=(num, num_arms + 1, num_seeds, world.num_inputs, 24))
    answers = []
    for number in range(num_seeds):
        own = [
            train_and_test(world, inputs, labels, folds, fold, weights[:, :, number], rng)
            for fold in range(num_used)
        ]
        answers.append(np.stack(own, axis=2))
    tested = np.stack([labels[folds == fold] for fold in range(num_used)])
    return np.stack(answers, axis=2), tested


def _layout(world: World) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Classes and folds of recordings, each fold with as many of every class as possible."""
    numbers = np.arange(world.num_recordings)
    return numbers % world.num_classes, numbers // world.num_classes % world.num_folds


def _views(
    world: World, labels: NDArray[np.int64], num: int, num_arms: int, rng: np.random.Generator
) -> Array:
    """Shape: → (N, A, recordings, M, D)"""

    def noise(arms: int, clips: int) -> Array:
        return rng.normal(size=(num, arms, len(labels), clips, world.num_inputs))

    def seen(arms: int) -> Array:
        of_recording, of_clip = noise(arms, 1), noise(arms, world.clips_each)
        share = world.of_recording
        return np.asarray(np.sqrt(share) * of_recording + np.sqrt(1 - share) * of_clip)

    centres = _centres(world)[labels][:, None]
    common, own = np.sqrt(world.in_common) * seen(1), np.sqrt(1 - world.in_common) * seen(num_arms)
    return np.asarray(centres + common + own)


def _centres(world: World) -> Array:
    """Shape: → (C, D)"""
    corners = np.eye(world.num_classes, world.num_inputs)
    return np.asarray(world.separation * (corners - corners.mean(0)))
