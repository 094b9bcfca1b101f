"""Write encoders of a few kilobytes with random weights into `tiny/`, to try recipes offline.

    python tiny.py && audiocls train --recipe probe-ast-tiny

What they put out means nothing; they are written as their libraries write real ones.
"""

import sys
from collections.abc import Callable, Iterator
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


def tiny_encoder(kind: str, folder: Path) -> Path:
    """Write the encoder of a kind into `folder`, with its processor and its card; return it."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
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


def _ast() -> Iterator[Any]:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    yield ASTForAudioClassification(ASTConfig(**SIZE, max_length=128, num_mel_bins=32))
    yield ASTFeatureExtractor(max_length=128, num_mel_bins=32)


def _hubert() -> Iterator[Any]:
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    sizes = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    layers = {"num_hidden_layers": 12}  # as the real one: ablations ask for each
    yield HubertModel(HubertConfig(**{**SIZE, **sizes, **layers}, conv_dim=(16,) * 7))
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


def main(folder: Path) -> None:
    """Write one of each kind."""
    for kind in KINDS:
        tiny_encoder(kind, folder / kind)
    tiny_image_encoder(folder / "efficientnet")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tiny"))
