"""Loading EnCodec's weights: the authors', a file's, or random ones with fitted codebooks.

Legend: B batch, T samples, D width (128), L frames, Q codebooks, E entries of a codebook.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import remove_weight_norm

from audiocls.audio.features.encodec import SAMPLE_RATE
from audiocls.audio.features.encodec.package import CHECKPOINT, pretrained_model, random_model
from audiocls.audio.features.encodec.untrained import untrained_model
from audiocls.encoders import Pretrained
from audiocls.encoders.loaded import load_codec
from audiocls.errors import DataError


def load(weights: str, num_codebooks: int, package: str = "encodec") -> tuple[nn.Module, Tensor]:
    """Load the encoder, its weight normalisation folded in, and the first codebooks.

    `weights` is `pretrained`, `untrained` or the path of a state_dict; by `transformers` a Hub name
    with its revision, or a folder.

    Raises:
        ConfigError: the package is not installed.
        DataError: the weights are missing, unreadable or another model's, or their codebooks were
            never initialised.

    Shape: → encoder (B, 1, T) → (B, D, L), codebooks (Q, E, D)
    """
    if package == "transformers":
        encoder, codebooks = load_codec(Pretrained(model=weights), SAMPLE_RATE)
        return encoder, codebooks[:num_codebooks]
    if weights == "pretrained":
        model = pretrained_model()
    elif weights == "untrained":
        model = untrained_model(num_codebooks)
    else:
        model = _from_file(Path(weights))
    books = [layer._codebook for layer in model.quantizer.vq.layers[:num_codebooks]]
    if not all(codebook.inited for codebook in books):
        raise DataError(
            f"features encodec: weights {weights!r} hold codebooks that were never initialised, so "
            "that every code would be 0; use weights that were trained, or weights=untrained"
        )
    return _folded(model.encoder), torch.stack([codebook.embed for codebook in books])


def _from_file(file: Path) -> Any:
    model, state = random_model(), _read(file)
    wanted = {name: value.shape for name, value in model.state_dict().items()}
    wrong = [name for name, shape in wanted.items() if _shape(state, name) != shape]
    if wrong:
        raise DataError(
            f"{file}: not the weights of EnCodec's 24 kHz model: {len(wrong)} of its {len(wanted)} "
            f"tensors are missing or of another shape, the first {wrong[0]!r}; allowed: a "
            f"state_dict as in {CHECKPOINT}"
        )
    model.load_state_dict({name: state[name] for name in wanted})
    return model


def _read(file: Path) -> Mapping[str, Any]:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(
            f"features encodec: there is no file {file}; allowed for features.weights: "
            "pretrained, untrained, or the path of a state_dict"
        ) from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise DataError(
            f"{file}: no state_dict can be read from it ({error}); allowed: what torch.save or "
            "safetensors wrote"
        ) from error
    return state if isinstance(state, Mapping) else {}


def _shape(state: Mapping[str, Any], name: str) -> torch.Size | None:
    value = state.get(name)
    return value.shape if isinstance(value, Tensor) else None


def _folded(encoder: nn.Module) -> nn.Module:
    """Fold weight normalisation into the weights; it would be computed anew at every call."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv1d):
            remove_weight_norm(module)
    return encoder
