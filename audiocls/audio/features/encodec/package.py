"""The only module that imports the package `encodec` (CC-BY-NC-4.0): its 24 kHz encoder."""

import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch

from audiocls.errors import ConfigError, DataError

CHECKPOINT = "encodec_24khz-d7cc33bc.th"
"""File name of the weights of the 24 kHz model; it ends in the first digits of their SHA-256."""
URL = f"https://dl.fbaipublicfiles.com/encodec/v0/{CHECKPOINT}"
SEED = 0


def random_model() -> Any:
    """Build the model with random weights, always the same ones, and all-zero codebooks.

    Raises:
        ConfigError: the package is not installed.
    """
    return _model(is_pretrained=False)


def pretrained_model() -> Any:
    """Build the model with its authors' weights, which the package downloads once.

    A damaged file is deleted, so that they are downloaded again.

    Raises:
        ConfigError: the package is not installed.
        DataError: the weights cannot be downloaded, or arrive damaged.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if (folder / CHECKPOINT).exists() and not _is_published(folder / CHECKPOINT):
        (folder / CHECKPOINT).unlink()
    try:
        return _model(is_pretrained=True)
    except (OSError, RuntimeError) as error:  # no network, or the checksum does not match
        raise DataError(
            f"features encodec: the weights could not be downloaded from {URL} ({error}). Download "
            f"that file by hand into {folder}, or anywhere and --set features.weights=FILE"
        ) from error


def _is_published(file: Path) -> bool:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return digest.startswith(file.stem.rpartition("-")[2])


def _model(is_pretrained: bool) -> Any:
    """Build the model without advancing torch's global generator."""
    try:
        from encodec.model import EncodecModel
    except ModuleNotFoundError as error:
        fault = (
            f"the package {error.name!r} is missing; it is an extra (CC-BY-NC-4.0): "
            "pip install 'audiocls[encodec]'"
        )
        raise ConfigError("features encodec", [fault]) from error
    except (ImportError, OSError) as error:  # a compiled library that does not fit this torch
        fault = (
            f"the package 'encodec' cannot be imported ({error}); it imports torchaudio, which has "
            f"to suit torch {torch.__version__}: pip install --force-reinstall torchaudio"
        )
        raise ConfigError("features encodec", [fault]) from error
    with warnings.catch_warnings():
        # The package is from 2022: the torch function it calls is deprecated, and still correct.
        warnings.filterwarnings("ignore", ".*weight_norm.* is deprecated", FutureWarning)
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which would seed the GPUs' generators too, and for good:
            # `fork_rng(devices=[])` restores the CPU's alone.
            torch.default_generator.manual_seed(SEED)
            model = EncodecModel.encodec_model_24khz(pretrained=is_pretrained)
    del model.decoder  # not needed: features only go from waveforms to codes
    return model
