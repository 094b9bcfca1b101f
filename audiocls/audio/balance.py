"""Sampling that makes rare classes as likely to be heard as frequent ones.

Legend: N clips, K classes.
"""

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.clips import ClipTable


def sampling_weights(
    table: ClipTable, among: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """How often to draw each clip: the sum over its labels of 1 / clips with that label.

    `among` are the clips to draw from, and to count, by default all: counts of test clips have no
    place in training. Clips with one label each are drawn so that all classes are equally likely;
    clips with several tend there. Not normalised: the weights add up to the number of classes
    that occur.

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
    summed = np.bincount(owners, weights=1 / counts[labels], minlength=len(clips))
    return np.asarray(summed, np.float64)
