"""Features of the training clips, standardised once and kept on the device of the training.

Legend: N clips of the data set, n clips of the training, B batch, C channels (mel bands), L frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audiocls.audio.dataset import CHUNK_CLIPS, AudioDataset, num_batches

MOST_BYTES, MOST_BYTES_ON_ACCELERATOR = 1 << 28, 1 << 32
"""What they may take: they are kept as float32 beside the memory map that all workers share."""


@dataclass(frozen=True)
class StoredFeatures:
    """Rows to gather batches from, without a copy from the host."""

    rows: Tensor
    """(n, C, L)."""
    row_of: Tensor
    """(N,) int64: the row of each clip of the training."""

    def of(self, clips: Tensor) -> Tensor:
        """Return the features of clips. Shape: clips (B,) int64 → (B, C, L)"""
        return self.rows[self.row_of[clips]]


def store_features(
    dataset: AudioDataset, clips: NDArray[np.int64], standardise: nn.Module
) -> StoredFeatures | None:
    """Return the standardised features of `clips`, or none where these are too large.

    None too where the data set has no cached features: those of raw audio cost nothing, and those
    of a learned front end change with it.

    Shape: clips (n,); standardise: (B, C, L) → (B, C, L)
    """
    is_on_host = dataset.device.type == "cpu"
    most = MOST_BYTES if is_on_host else MOST_BYTES_ON_ACCELERATOR
    if dataset.features is None or len(clips) * dataset.features[0].nbytes > most:
        return None
    rows = torch.empty(len(clips), *dataset.features.shape[1:], device=dataset.device)
    row_of = torch.zeros(len(dataset.table.clips), dtype=torch.int64)
    row_of[torch.from_numpy(clips)] = torch.arange(len(clips))
    portions = num_batches(len(clips), CHUNK_CLIPS)
    with torch.no_grad():
        for into, portion in zip(
            rows.tensor_split(portions), np.array_split(clips, portions), strict=True
        ):
            into.copy_(standardise(dataset.unaugmented(portion)))
    return StoredFeatures(rows, row_of.to(dataset.device))
