"""Which clips an epoch has, and in which order: each once, or drawn by the rarity of its labels.

Legend: N clips.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from audiocls.audio.clips import ClipTable
from audiocls.seeding import seed_of


def epoch_order(
    table: ClipTable, clips: NDArray[np.int64], is_balanced: bool, epoch_seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the clips of one epoch in random order, and a number for each occurrence of a clip.

    If `is_balanced` as many clips are drawn with replacement by `sampling_weights`; the numbers
    then tell occurrences of one clip apart, so that each is augmented differently.

    Shape: clips (N,) → (N,), (N,)
    """
    generator = torch.Generator().manual_seed(seed_of(epoch_seed, 0, "order"))
    if not is_balanced:
        order = clips[torch.randperm(len(clips), generator=generator).numpy()]
        return order, order
    weights = torch.from_numpy(sampling_weights(table, clips))
    drawn = torch.multinomial(weights, len(clips), replacement=True, generator=generator)
    order = clips[drawn.numpy()]
    # The i-th repeat of clip c (i from 0) gets the number c + i · N_table. A stable sort brings
    # repeats together; their position less that of the first one of their clip is i.
    by_clip = np.argsort(order, kind="stable")
    repeats = np.empty_like(order)
    repeats[by_clip] = np.arange(len(order)) - np.searchsorted(order[by_clip], order[by_clip])
    return order, order + repeats * len(table.clips)


def sampling_weights(
    table: ClipTable, among: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return how often to draw each clip: the sum over its labels of 1 / clips with that label.

    `among` are the clips to draw from and to count, by default all: counts of test clips have no
    place in training. With one label per clip all classes become equally likely; with several
    they tend to. Not normalised: the weights add up to the number of classes that occur.

    As in EAT (Gazneli et al., arXiv:2204.11479) and the AudioSet models before it.

    Shape: among (N,) → (N,)

    >>> from pathlib import Path
    >>> from audiocls.audio.clips import Clip
    >>> clips = [Clip(str(i), Path(), (int(i > 1),), str(i), fold=1) for i in range(5)]
    >>> sampling_weights(ClipTable(tuple(clips), ("rare", "common"), (1,))).round(2).tolist()
    [0.5, 0.5, 0.33, 0.33, 0.33]
    """
    clips = table.clips if among is None else [table.clips[i] for i in among]
    labels = np.concatenate([np.array(clip.labels) for clip in clips])
    owners = np.repeat(np.arange(len(clips)), [len(clip.labels) for clip in clips])
    counts = np.bincount(labels, minlength=len(table.labels))
    weights = np.bincount(owners, weights=1 / counts[labels], minlength=len(clips))
    return np.asarray(weights, np.float64)
