"""Kinds of options and refusals that several models share (torch-free)."""

from typing import Annotated, Protocol

from pydantic import AfterValidator, Field, PositiveInt

from audiocls.errors import ConfigError

EMPTY = "an empty clip has no class"
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError(f"must be odd, so that padding keeps the length; got {kernel}")
    return kernel


OddKernel = Annotated[PositiveInt, AfterValidator(_odd)]


class Checked(Protocol):
    """A model's options, which know what shapes (channels, frames) they can take."""

    @property
    def name(self) -> str: ...

    def check(self, in_shape: tuple[int, int]) -> list[str]: ...


def require_possible(model: Checked, in_shape: tuple[int, int]) -> None:
    """Raises `ConfigError` with all faults of `model` on features of that shape."""
    if faults := model.check(in_shape):
        raise ConfigError(f"model {model.name}", faults)


def frame_faults(frames: int, minimum: int, reason: str) -> list[str]:
    """A clip of fewer frames than a model can take.

    >>> frame_faults(3, 8, "the product of all strides")
    ['got 3 frames, allowed: 8 or more (the product of all strides); use longer clips']
    """
    if frames >= minimum:
        return []
    return [f"got {frames} frames, allowed: {minimum} or more ({reason}); use longer clips"]


def picture_faults(in_shape: tuple[int, int]) -> list[str]:
    """Features without a second axis to convolve along, or without a frame."""
    bands, frames = in_shape
    faults = frame_faults(frames, 1, EMPTY)
    if bands < 2:
        faults.append(
            f"got features of {bands} band (raw audio), allowed: 2 or more, since it sees them as "
            "a picture of bands × frames; use features that have bands, as features.name=logmel"
        )
    return faults
