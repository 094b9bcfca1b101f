"""Encoders of a few kilobytes with random weights, written as their libraries write real ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

RATE = 16000
SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
CARD = "---\nlicense: apache-2.0\ntags: [audio]\n---\n# Tiny\n"


def needs_encoder(part: Any) -> bool:
    """Whether the options of a part name an encoder, without which there is nothing to test."""
    return "model" in part.model_fields and bool(part.model_fields["model"].is_required())


def tiny_encoder(kind: str, folder: Path) -> Path:
    """Write the encoder of a kind into `folder`, with its processor and its card; return it."""
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(0)
        for part in KINDS[kind]():
            part.save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return folder


def tiny_image_encoder(folder: Path) -> Path:
    """Write a small network of timm into `folder`; return it."""
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model("test_efficientnet", num_classes=3)
    timm.models.save_for_hf(network, folder, safe_serialization=True)
    return folder


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


def _ast() -> Iterator[Any]:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    yield ASTForAudioClassification(ASTConfig(**SIZE, max_length=128, num_mel_bins=32))
    yield ASTFeatureExtractor(max_length=128, num_mel_bins=32)


def _hubert() -> Iterator[Any]:
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    sizes = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    yield HubertModel(HubertConfig(**SIZE, **sizes, conv_dim=(16,) * 7))
    yield Wav2Vec2FeatureExtractor()


def _whisper() -> Iterator[Any]:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    sizes = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 20}
    layers = {"encoder_layers": 2, "decoder_layers": 1, "max_source_positions": 50}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    config = WhisperConfig(**sizes, **layers, **heads, **tokens, suppress_tokens=None)
    config.begin_suppress_tokens = None
    yield WhisperModel(config)
    yield WhisperFeatureExtractor(chunk_length=1)


def _clap() -> Iterator[Any]:
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "vocab_size": 50}
    audio = {"patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [1, 2]}
    audio |= {"hidden_size": 16, "spec_size": 64, "num_mel_bins": 16, "window_size": 4}
    yield ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=8))
    yield ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=RATE,
        frequency_max=8000,
        max_length_s=1,
        truncation="rand_trunc",
        padding="repeatpad",
    )


KINDS: dict[str, Callable[[], Iterator[Any]]] = {
    "ast": _ast,
    "hubert": _hubert,
    "whisper": _whisper,
    "clap": _clap,
}


@contextmanager
def _quiet() -> Iterator[None]:
    from transformers.utils import logging

    logging.disable_progress_bar()
    yield
