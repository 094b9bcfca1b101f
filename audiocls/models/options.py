"""Kinds of options and refusals that several models share (torch-free)."""

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt

from audiocls.errors import ConfigError

Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError(f"must be odd, so that padding keeps the length; got {kernel}")
    return kernel


OddKernel = Annotated[PositiveInt, AfterValidator(_odd)]


def require_frames(name: str, frames: int, minimum: int, reason: str) -> None:
    """Raises `ConfigError` if a clip has fewer frames than `model` can take."""
    if frames < minimum:
        fault = f"got {frames} frames, allowed: {minimum} or more ({reason}); use longer clips"
        raise ConfigError(f"model {name}", [fault])


def require_picture(name: str, bands: int) -> None:
    """Raises `ConfigError` if the features have no second axis to convolve along."""
    if bands < 2:
        fault = (
            f"got features of {bands} band (raw audio), allowed: 2 or more, since it sees them as "
            "a picture of bands × frames; use features that have bands, as features.name=logmel"
        )
        raise ConfigError(f"model {name}", [fault])
