"""Mixup of features: every clip with another of its batch, in a share drawn from Beta(α, α).

Zhang et al., "mixup: beyond empirical risk minimization" (ICLR 2018, arXiv 1710.09412). After the
front end, so that with log-mel features levels are mixed and not sounds.

Legend: B batch, C channels (mel bands), L frames, K classes.
"""

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


def mix_features(
    features: Tensor, targets: Tensor, draws: ClipRNG, alpha: float
) -> tuple[Tensor, Tensor]:
    """Mix features and targets in the same shares; a batch of one is left as it is.

    Shape: features (B, C, L), targets (B, K) float → (B, C, L), (B, K)

    >>> draws = ClipRNG(0, torch.arange(2))
    >>> mixed, targets = mix_features(torch.eye(2).unsqueeze(2), torch.eye(2), draws, alpha=0.8)
    >>> torch.equal(mixed[..., 0], targets)
    True
    """
    if len(features) < 2:
        return features, targets
    partners = partners_of(draws).to(features.device)
    shares = beta_shares(draws, alpha).to(features.device)
    mixed = torch.lerp(features[partners], features, shares.unsqueeze(2).to(features.dtype))
    return mixed, shares * targets + (1 - shares) * targets[partners]
