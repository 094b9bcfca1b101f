"""Option types and checks of the input shape that several models share (torch-free)."""

from typing import Annotated, Protocol

from pydantic import AfterValidator, Field, PositiveInt

from audiocls.errors import ConfigError

EMPTY = "an empty clip has no class"
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]


def _odd(kernel: int) -> int:
    """Return `kernel`; raise `ValueError` if it is even."""
    if kernel % 2 == 0:
        raise ValueError(f"must be odd, so that padding keeps the length; got {kernel}")
    return kernel


OddKernel = Annotated[PositiveInt, AfterValidator(_odd)]


class ModelOptions(Protocol):
    """A model's options, as far as the shape of its input is concerned."""

    @property
    def name(self) -> str: ...

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why the model cannot take features of (channels, frames); empty if it can."""


def require_compatible(model: ModelOptions, in_shape: tuple[int, int]) -> None:
    """Raise `ConfigError` with all reasons why `model` cannot take features of that shape.

    Args:
        in_shape: (channels, frames).
    """
    if problems := model.check(in_shape):
        raise ConfigError(f"model {model.name}", problems)


def frame_problems(frames: int, minimum: int, reason: str) -> list[str]:
    """Return a message if a clip has fewer frames than a model can take.

    >>> frame_problems(3, 8, "the product of all strides")
    ['got 3 frames, allowed: 8 or more (the product of all strides); use longer clips']
    """
    if frames >= minimum:
        return []
    return [f"got {frames} frames, allowed: {minimum} or more ({reason}); use longer clips"]


def image_problems(in_shape: tuple[int, int]) -> list[str]:
    """Return messages if features (bands, frames) are no image: one band only, or no frame."""
    bands, frames = in_shape
    problems = frame_problems(frames, 1, EMPTY)
    if bands < 2:
        problems.append(
            f"got features of {bands} band (raw audio), allowed: 2 or more, since it treats bands "
            "× frames as an image; use features that have bands, as features.name=logmel"
        )
    return problems
