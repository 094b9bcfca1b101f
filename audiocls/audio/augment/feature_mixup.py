"""Mixup of features: every clip with another of its batch, in a share drawn from Beta(α, α).

Zhang et al., "mixup: beyond empirical risk minimization" (ICLR 2018, arXiv 1710.09412). After the
front end, so that with log-mel features levels are mixed and not sounds.

Legend: B batch, C channels (mel bands), L frames, K classes.
"""

from dataclasses import dataclass

import torch
from scipy.special import betaincinv
from torch import Tensor

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import partners_of


def beta_shares(draws: ClipRNG, alpha: float) -> Tensor:
    """Draw each clip's share of the mixture from Beta(`alpha`, `alpha`), as its quantiles.

    Shape: → (B, 1) float32, in [0, 1]
    """
    uniform = draws.on("cpu").uniform("feature mixup share").double().numpy()
    return torch.from_numpy(betaincinv(alpha, alpha, uniform)).float()


@dataclass(frozen=True, eq=False)
class FeatureMix:
    """The clip of its batch that each is mixed with, and its own share of the mixture."""

    partners: Tensor
    """(B,) int64."""
    shares: Tensor
    """(B, 1) float32, in [0, 1]."""


def draw_feature_mix(draws: ClipRNG, alpha: float, device: torch.device) -> FeatureMix | None:
    """Draw partners and shares from Beta(`alpha`, `alpha`); none for a batch of one clip."""
    if len(draws.clips) < 2:
        return None
    shares = beta_shares(draws, alpha)
    # From memory that may be swapped out the host would wait for all that is queued on the device.
    pinned = shares.pin_memory() if device.type == "cuda" else shares
    return FeatureMix(partners_of(draws.on(device)), pinned.to(device, non_blocking=True))


def mix_features(features: Tensor, targets: Tensor, mix: FeatureMix) -> tuple[Tensor, Tensor]:
    """Mix features and targets in the same shares.

    Shape: features (B, C, L), targets (B, K) float → (B, C, L), (B, K)

    >>> mix = draw_feature_mix(ClipRNG(0, torch.arange(2)), alpha=0.8, device=torch.device("cpu"))
    >>> mixed, targets = mix_features(torch.eye(2).unsqueeze(2), torch.eye(2), mix)
    >>> torch.equal(mixed[..., 0], targets)
    True
    """
    partners, shares = mix.partners, mix.shares
    mixed = torch.lerp(features[partners], features, shares.unsqueeze(2).to(features.dtype))
    return mixed, shares * targets + (1 - shares) * targets[partners]
