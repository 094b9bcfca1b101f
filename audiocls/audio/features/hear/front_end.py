"""Encoders with the HEAR interface as front ends.

Legend: B batch, T samples, L frames, D width.
"""

import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from audiocls.audio.features.embedder import Embedder
from audiocls.audio.features.hear import Hear
from audiocls.audio.features.hf.front_end import require_rate
from audiocls.errors import ConfigError, DataError

NEEDED = ("get_scene_embeddings", "get_timestamp_embeddings")


class HearLayer(nn.Module):
    """The only layer that the interface shows: a scene as one frame, or the time stamps.

    Shape: (B, T) → list of one (B, L, D)
    """

    def __init__(self, module: ModuleType, model: Any, has_frames: bool):
        super().__init__()
        self.module, self.model, self.has_frames = module, model, has_frames

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        if self.has_frames:
            return [torch.as_tensor(self.module.get_timestamp_embeddings(waveforms, self.model)[0])]
        scene = self.module.get_scene_embeddings(waveforms, self.model)
        return [torch.as_tensor(scene).unsqueeze(1)]


def embedder(options: Hear, sample_rate: int) -> Embedder:
    """Return the frozen encoder; raises `ConfigError` at another rate than its own (Hz)."""
    part = options.model.load()
    module = sys.modules[part.__module__]
    if missing := [name for name in NEEDED if not hasattr(module, name)]:
        fault = f"{module.__name__} has no {', '.join(missing)}, which the HEAR interface needs"
        raise ConfigError(options.model.what, [fault])
    try:
        model = part(**options.model.arguments(part))
    except OSError as error:
        fault = f"{options.model.what} could not be loaded ({error}); its package downloads weights"
        raise DataError(f"{fault} by itself: fetch them where there is a network") from error
    require_rate(model, sample_rate)
    has_frames = options.pool == "frames"
    framed = (lambda count: tuple(range(count))) if has_frames else None
    return Embedder(HearLayer(module, model, has_frames), sample_rate, framed)
