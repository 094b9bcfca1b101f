"""Encoders of a few kilobytes, which `examples/encoders/tiny.py` writes, and a HEAR module."""

import importlib.util
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "examples/encoders"
_spec = importlib.util.spec_from_file_location("tiny_encoders", FOLDER / "tiny.py")
assert _spec is not None
assert _spec.loader is not None
_script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_script)

KINDS = _script.KINDS
FAST = ("ast", "hubert")
"""Kinds that every run tests: of a spectrogram with a window, and of waveforms of any length."""
RATE = _script.RATE
tiny_encoder = _script.tiny_encoder
tiny_image_encoder = _script.tiny_image_encoder

HEAR = """
import torch

class Model:
    sample_rate = 16000
    def __init__(self, width):
        self.width = width

def load_model(model_file_path="", width=8):
    return Model(width)

def get_timestamp_embeddings(audio, model):
    frames = audio.unfold(1, 400, 400)[:, :, : model.width]
    return frames, torch.arange(frames.shape[1]).expand(len(audio), -1) * 25.0

def get_scene_embeddings(audio, model):
    return get_timestamp_embeddings(audio, model)[0].mean(1)
"""
"""A module with the HEAR interface."""


def needs_encoder(part: Any) -> bool:
    """Whether the options of a part name an encoder, without which there is nothing to test."""
    return "model" in part.model_fields and bool(part.model_fields["model"].is_required())
