"""Two views of each clip, for contrastive learning: random crops, the second one with noise.

Legend: B batch, C channels, L frames, T samples of a view.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.augment.chain import crop_offsets
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.batches import Batch
from audiocls.audio.dataset import AudioDataset


@dataclass(frozen=True)
class Views:
    """How two views of a clip are made (Saeed et al., COLA, arXiv 2010.10915; audax)."""

    noise: float
    """Deviation of the white noise in the second view, relative to the L2 norm of its samples."""

    def batch(self, dataset: AudioDataset, clips: NDArray[np.int64], draws: ClipRNG) -> Batch:
        """Return the first views of all clips, then the second ones; targets say which is whose.

        A clip that is no longer than a view has one crop alone, which only the noise changes.

        Shape: clips (B,) → inputs (2 B, C, L), or waveforms (2 B, T); targets (B,)
        """
        slack = np.maximum(0, dataset.pack.lengths(clips) - dataset.num_samples)
        spare = torch.from_numpy(slack)
        first = crop_offsets(spare, draws).numpy()
        second = draws.integers("second crop", spare.unsqueeze(1) + 1)[:, 0].numpy()
        noisy = self._noisy(dataset.waveforms(clips, second), draws)
        both = torch.cat([dataset.waveforms(clips, first), noisy])
        return Batch(
            inputs=torch.as_tensor(dataset.front_end(both)),
            targets=torch.arange(len(clips), device=both.device),
            draws=draws,
        )

    def _noisy(self, waveforms: Tensor, draws: ClipRNG) -> Tensor:
        """Add noise of each clip's own draws. Shape: (B, T) → (B, T)"""
        deviation = self.noise * waveforms.norm(dim=1, keepdim=True)
        drawn = draws.on(waveforms.device).normal("view noise", waveforms.shape[1])
        noisy: Tensor = waveforms + deviation * drawn
        return noisy
