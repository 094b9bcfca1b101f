"""Rolling, stretching and cropping of features in time: at the cost of reading their frames.

What leaves a clip at its end enters at its beginning, so a rolled clip has all of its events. Of
waveforms the same costs the features anew in every epoch (`augment.transforms=[cycshift]`).

Legend: B batch, C channels (mel bands), L frames.
"""

import math

import torch
from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG


def rolled(features: Tensor, options: Augment, draws: ClipRNG) -> Tensor:
    """Roll, stretch and crop each clip, by numbers of its own.

    Shape: (B, C, L) → (B, C, `options.trained_frames(L)`)

    >>> draws = ClipRNG(0, torch.arange(2))
    >>> clip = torch.arange(5.0).expand(2, 3, 5)
    >>> rolled(clip, Augment(roll=True), draws)[:, 0]
    tensor([[3., 4., 0., 1., 2.],
            [3., 4., 0., 1., 2.]])
    """
    if not options.moves_features:
        return features
    num_bands, num_frames = features.shape[1:]
    length, draws = options.trained_frames(num_frames), draws.on(features.device)
    num_starts = num_frames if options.roll else num_frames - length + 1
    steps = torch.arange(length, device=features.device).expand(len(features), -1)
    if options.stretch > 0:
        most = math.log1p(options.stretch)
        steps = (draws.between("stretch", -most, most).exp() * steps).long()
    frames = (draws.integers("first frame", num_starts) + steps) % num_frames
    return features.gather(2, frames.unsqueeze(1).expand(-1, num_bands, -1))
