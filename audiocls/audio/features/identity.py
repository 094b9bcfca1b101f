"""What a front end is by content, for ids and keys of caches (torch-free)."""

import hashlib
from typing import Any

from audiocls.audio.features import Features
from audiocls.audio.features.encodec import Encodec
from audiocls.errors import DataError


def identity(features: Features) -> dict[str, Any]:
    """The options, with the digest of a file of weights in place of its path.

    A file that was moved is the same front end; one that was overwritten is another.
    """
    return features.model_dump(mode="json") | (
        {"weights": weights_digest(features)} if isinstance(features, Encodec) else {}
    )


def weights_digest(features: Encodec) -> str:
    """SHA-256 of the file of weights, or the word that names them."""
    file = features.weights_file
    if file is None:
        return features.weights
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"features {features.name}: the weights {file} cannot be read ({error.strerror}); "
            "allowed for features.weights: pretrained, untrained, or the path of a state_dict"
        ) from error
