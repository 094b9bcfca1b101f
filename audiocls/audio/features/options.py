"""`FrontEndOptions`, the base of every front end's options (torch-free), and common checks.

Legend: B batch, C channels, L frames, T samples.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal

from audiocls.errors import ConfigError
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn

Level = Literal["none", "abs_max", "standard"]
"""How a clip's level is set: not at all, by its peak, or to mean 0 and deviation 1."""


class FrontEndOptions(Options):
    """Options of one front end, which maps waveforms (B, T) to features (B, C, L).

    A fixed front end is computed before the classifier, once a clip where nothing random precedes
    it; a learned one is trained inside the model.
    """

    if TYPE_CHECKING:
        # Fields of every subclass. Declared as fields here they would come before its own, and the
        # order of fields is that of every stored configuration.

        @property
        def name(self) -> str: ...

        @property
        def wave_normalise(self) -> Level: ...

    @property
    def uses_training_statistics(self) -> bool:
        """Whether features are standardised per channel by statistics of the training clips."""
        return False

    @property
    def is_learned(self) -> bool:
        """Whether the front end is trained with the model."""
        return False

    @property
    def is_cached(self) -> bool:
        """Whether features of whole clips are worth computing once and keeping on disk."""
        return not self.is_learned

    @property
    def has_known_shape(self) -> bool:
        """Whether `shape` needs neither files nor a module that is built."""
        return True

    @abstractmethod
    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        """Return (C, L) for clips of `num_samples` samples at `sample_rate` Hz.

        Builds the front end where `has_known_shape` is false.
        """

    @abstractmethod
    def check(self, sample_rate: int) -> list[str]:
        """Return the errors of these options at `sample_rate` Hz, or an empty list."""

    @abstractmethod
    def build(self, sample_rate: int) -> "nn.Module":
        """Build the module for `sample_rate` Hz, (B, T) → (B, C, L)."""

    def identity(self) -> dict[str, Any]:
        """Return the options with files by their content, for cache keys."""
        return self.model_dump(mode="json")

    def notes(self) -> list[str]:
        """Return caveats that a study has to state, such as "EnCodec's weights are untrained"."""
        return []

    def wave_normaliser(self) -> "nn.Module":
        """Build the module that sets each clip's level, before any augmentation.

        Shape: (B, T) → (B, T)
        """
        from audiocls.audio.features.normalise import NormaliseWaveform

        return NormaliseWaveform(self.wave_normalise)

    def fixed_front_end(self, sample_rate: int) -> "nn.Module":
        """Build the front end before the classifier at `sample_rate` Hz, in evaluation mode.

        Shape: (B, T) → (B, C, L), or the identity if the front end is learned
        """
        from torch import nn

        return nn.Identity() if self.is_learned else self.build(sample_rate).eval()

    def learned_front_end(self, sample_rate: int) -> "nn.Module":
        """Build the front end that is trained with the model at `sample_rate` Hz.

        Shape: (B, T) → (B, C, L), or the identity if the front end is fixed
        """
        from torch import nn

        return self.build(sample_rate) if self.is_learned else nn.Identity()

    def require_possible(self, sample_rate: int) -> None:
        """Raise `ConfigError` with all that `check` finds at `sample_rate` Hz."""
        if problems := self.check(sample_rate):
            raise ConfigError(
                f"features {self.name} at a sample rate of {sample_rate} Hz", problems
            )


def num_frames(num_samples: int, n_fft: int, hop: int, name: str = "logmel") -> int:
    """Return the frames of a centred, reflect-padded STFT, windows `hop` samples apart.

    Raises:
        ConfigError: the clip is too short to reflect (`n_fft` // 2 samples or fewer); the message
            speaks of the front end `name`.

    >>> num_frames(16000, n_fft=400, hop=160)
    101
    """
    padding = n_fft // 2
    if num_samples <= padding:
        problem = (
            f"got a clip of {num_samples} samples, allowed: {padding + 1} or more (n_fft // 2 + 1);"
            " use longer clips or a smaller n_fft"
        )
        raise ConfigError(f"features {name}", [problem])
    return (num_samples + 2 * padding - n_fft) // hop + 1


def check_window(window: int | None, n_fft: int) -> list[str]:
    """Return an error if `window` (samples) does not fit into a transform of `n_fft` samples."""
    if window is None or window <= n_fft:
        return []
    return [f"window: got {window}, allowed: up to n_fft, {n_fft}"]


def check_mel_bands(n_mels: int, n_fft: int) -> list[str]:
    """Return an error if there are more mel bands than bins.

    >>> check_mel_bands(300, 400)
    ['n_mels: got 300, allowed: up to n_fft // 2 + 1, 201']
    """
    num_bins = n_fft // 2 + 1
    if n_mels <= num_bins:
        return []
    return [f"n_mels: got {n_mels}, allowed: up to n_fft // 2 + 1, {num_bins}"]


def check_band(f_min: float, f_max: float | None) -> list[str]:
    """Return an error if a band (Hz) ends before it begins."""
    if f_max is None or f_max > f_min:
        return []
    return [f"f_max: got {f_max} Hz, allowed: above f_min, {f_min} Hz"]


def check_nyquist(f_min: float, f_max: float | None, sample_rate: int) -> list[str]:
    """Return errors for frequencies (Hz) above half of `sample_rate` (Hz); no `f_max` always fits.

    >>> check_nyquist(60.0, 7800.0, 8000)
    ['f_max: got 7800.0 Hz, allowed: up to 4000.0 Hz']
    """
    nyquist = sample_rate / 2
    problems = []
    if f_max is not None and f_max > nyquist:
        problems.append(f"f_max: got {f_max} Hz, allowed: up to {nyquist} Hz")
    if f_min >= nyquist:
        problems.append(f"f_min: got {f_min} Hz, allowed: below {nyquist} Hz")
    return problems


def raise_all(problems: list[str]) -> None:
    """Raise all `problems` as one `ValueError`, as a validator of options does."""
    if problems:
        raise ValueError("; ".join(problems))
