"""Where a front end sits: before the classifier if it is fixed, inside it if it is learned.

Legend: B batch, C channels, L frames, T samples.
"""

from torch import nn

from audiocls.audio.features import Features
from audiocls.audio.features.wave import NormaliseWave


def wave_normaliser(features: Features) -> nn.Module:
    """What is done to each clip's wave first of all.

    Shape: (B, T) → (B, T)
    """
    peak = features.peak if features.name == "raw" else 1.0
    return NormaliseWave(features.wave_normalise, peak)


def fixed_front_end(features: Features, sample_rate: int) -> nn.Module:
    """The front end that is computed before the classifier, ready to use.

    Shape: (B, T) → (B, C, L), or unchanged if the front end is learned
    """
    return nn.Identity() if features.is_learned else features.build(sample_rate).eval()


def learned_front_end(features: Features, sample_rate: int) -> nn.Module:
    """The front end that is trained with the model.

    Shape: (B, T) → (B, C, L), or features unchanged if the front end is fixed
    """
    return features.build(sample_rate) if features.is_learned else nn.Identity()
