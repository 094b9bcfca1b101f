"""What several front ends refuse, told as faults (torch-free)."""

from typing import Protocol

from audiocls.errors import ConfigError


class Checked(Protocol):
    """Options that know which sample rates (Hz) they are possible at."""

    @property
    def name(self) -> str: ...

    def check(self, sample_rate: int) -> list[str]: ...


def require_possible(features: Checked, sample_rate: int) -> None:
    """Raises `ConfigError` with all faults of `features` at `sample_rate` Hz."""
    if faults := features.check(sample_rate):
        raise ConfigError(f"features {features.name} at a sample rate of {sample_rate} Hz", faults)


def window_faults(window: int | None, n_fft: int) -> list[str]:
    """A `window` (samples) that does not fit into the Fourier transform."""
    if window is None or window <= n_fft:
        return []
    return [f"window: got {window}, allowed: up to n_fft, {n_fft}"]


def band_faults(n_mels: int, n_fft: int) -> list[str]:
    """More mel bands than a Fourier transform of `n_fft` samples has bins.

    >>> band_faults(300, 400)
    ['n_mels: got 300, allowed: up to n_fft // 2 + 1, 201']
    """
    num_bins = n_fft // 2 + 1
    if n_mels <= num_bins:
        return []
    return [f"n_mels: got {n_mels}, allowed: up to n_fft // 2 + 1, {num_bins}"]


def order_faults(f_min: float, f_max: float | None) -> list[str]:
    """A band (Hz) that ends before it begins."""
    if f_max is None or f_max > f_min:
        return []
    return [f"f_max: got {f_max} Hz, allowed: above f_min, {f_min} Hz"]


def nyquist_faults(f_min: float, f_max: float | None, sample_rate: int) -> list[str]:
    """Frequencies (Hz) that a wave at `sample_rate` Hz cannot hold; `f_max` none fits any.

    >>> nyquist_faults(60.0, 7800.0, 8000)
    ['f_max: got 7800.0 Hz, allowed: up to 4000.0 Hz']
    """
    nyquist = sample_rate / 2
    faults = []
    if f_max is not None and f_max > nyquist:
        faults.append(f"f_max: got {f_max} Hz, allowed: up to {nyquist} Hz")
    if f_min >= nyquist:
        faults.append(f"f_min: got {f_min} Hz, allowed: below {nyquist} Hz")
    return faults


def refuse(faults: list[str]) -> None:
    """Raises all `faults` at once, as a validator of options does."""
    if faults:
        raise ValueError("; ".join(faults))
