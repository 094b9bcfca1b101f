"""The door to the package `encodec` (CC-BY-NC-4.0): its 24 kHz model, without the decoder."""

import warnings
from pathlib import Path
from typing import Any

import torch

from audiocls.errors import ConfigError, DataError

CHECKPOINT = "encodec_24khz-d7cc33bc.th"
"""What the package calls the weights of its 24 kHz model; the end of it is their SHA-256."""
URL = f"https://dl.fbaipublicfiles.com/encodec/v0/{CHECKPOINT}"


SEED = 0


def as_drawn() -> Any:
    """The same noise for weights every time; codebooks all zero. Raises `ConfigError`."""
    return _model(is_pretrained=False)


def pretrained() -> Any:
    """Weights of the authors, downloaded once by the package; raises `DataError` if they cannot."""
    try:
        return _model(is_pretrained=True)
    except (OSError, RuntimeError) as error:  # no network, or not the bytes that were promised
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise DataError(
            f"features encodec: the weights could not be fetched from {URL} ({error}). Fetch that "
            f"file by hand into {folder}, or anywhere and --set features.weights=FILE"
        ) from error


def _model(is_pretrained: bool) -> Any:
    """Without a trace in the global generator, whichever weights are asked for."""
    try:
        from encodec.model import EncodecModel
    except ModuleNotFoundError as error:
        fault = (
            f"the package {error.name!r} is missing; it is an extra (CC-BY-NC-4.0): "
            "pip install 'audiocls[encodec]'"
        )
        raise ConfigError("features encodec", [fault]) from error
    with warnings.catch_warnings():
        # The package is of 2022; what it calls is deprecated but does what it did.
        warnings.filterwarnings("ignore", ".*weight_norm.* is deprecated", FutureWarning)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(SEED)  # not torch.manual_seed: it seeds GPUs too
            model = EncodecModel.encodec_model_24khz(pretrained=is_pretrained)
    del model.decoder  # nothing here turns codes into sound
    return model
