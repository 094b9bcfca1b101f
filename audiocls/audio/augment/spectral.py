"""Deterministic waveform transforms in the frequency domain, and the STFT.

Spectra of whole clips are circular: what a delay or a filter pushes over one end of the clip comes
back at the other.

Legend: B batch, T samples, S samples of a tail, N frequency bins, L frames.
"""

import math
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.functional import pad

from audiocls.audio.augment.waveform import ratio_or_zero, rms
from audiocls.audio.resampling import resample_by_ratio

ORDER = 4
"""Order of the Butterworth responses: 24 dB per octave beyond the cutoff."""
_SHORTEST_S = 0.0235
"""Seconds, just above 512 samples at 22.05 kHz (23.2 ms)."""


def waveform_of(spectrum: Tensor, num_samples: int) -> Tensor:
    """Return the real waveforms of `num_samples` whose `rfft` is `spectrum`.

    Shape: (B, N) complex → (B, T)
    """
    waveform: Tensor = torch.fft.irfft(spectrum, num_samples)
    return waveform


def delay(waveforms: Tensor, delays: Tensor) -> Tensor:
    """Delay by a number of samples that need not be whole, circularly and band-limited.

    Every magnitude of the spectrum is kept.

    Shape: waveforms (B, T), delays (B, 1) in samples → (B, T)

    >>> delay(torch.eye(1, 5), torch.tensor([[2.0]])).argmax()
    tensor(2)
    """
    num_samples = waveforms.shape[1]
    spectrum = torch.fft.rfft(waveforms)
    bins = torch.arange(spectrum.shape[1], device=waveforms.device)
    angles = delays * (bins * (-2 * math.pi / num_samples))
    # A delay by d turns bin k by -2πkd / T. The bin at half the sample rate (T even only) is real
    # in a real waveform: turned by any other angle than 0 or π it would lose magnitude.
    if num_samples % 2 == 0:
        angles[:, -1] = 0.0
    return waveform_of(rotate_phases(spectrum, angles), num_samples)


def lowpass(waveforms: Tensor, cutoffs: Tensor, sample_rate: int) -> Tensor:
    """Filter with a Butterworth magnitude and zero phase, -3 dB at the cutoff.

    Shape: waveforms (B, T), cutoffs (B, 1) in Hz → (B, T)
    """
    return _filtered(waveforms, _frequencies(waveforms, sample_rate) / cutoffs)


def highpass(waveforms: Tensor, cutoffs: Tensor, sample_rate: int) -> Tensor:
    """Filter with the mirrored magnitude of `lowpass`: -3 dB at the cutoff, 0 at 0 Hz.

    Shape: waveforms (B, T), cutoffs (B, 1) in Hz → (B, T)
    """
    return _filtered(waveforms, cutoffs / _frequencies(waveforms, sample_rate))


def _frequencies(waveforms: Tensor, sample_rate: int) -> Tensor:
    """Return the frequencies of the bins in Hz, 0 Hz replaced by a tiny one to divide by.

    Shape: (B, T) → (N,)
    """
    hertz: Tensor = torch.fft.rfftfreq(waveforms.shape[1], 1 / sample_rate, device=waveforms.device)
    return hertz.clamp(min=torch.finfo(torch.float32).tiny)


def _filtered(waveforms: Tensor, ratios: Tensor) -> Tensor:
    """Apply 1 / √(1 + ratio^(2·ORDER)) to each bin.

    Shape: waveforms (B, T), ratios (B, N) of frequency and cutoff → (B, T)
    """
    response: Tensor = (1 + ratios ** (2 * ORDER)).rsqrt()
    return waveform_of(torch.fft.rfft(waveforms) * response, waveforms.shape[1])


def frequency_shift(waveforms: Tensor, shifts: Tensor, sample_rate: int) -> Tensor:
    """Move every component by the same number of Hz (single sideband modulation).

    Not a pitch shift: harmonics do not stay harmonic.

    Shape: waveforms (B, T), shifts (B, 1) in Hz → (B, T)

    >>> cosine = torch.tensor([[1.0, 0.0, -1.0, 0.0]])  # 1 Hz at 4 Hz, up to 2 Hz
    >>> frequency_shift(cosine, torch.tensor([[1.0]]), 4).round()
    tensor([[ 1., -1.,  1., -1.]])
    """
    # With x̂ the Hilbert transform of x, every component delayed by a quarter of its period, and
    # θ(t) = 2π · shift · t, the upper sideband is x cos θ − x̂ sin θ.
    num_samples = waveforms.shape[1]
    quarter = waveform_of(torch.fft.rfft(waveforms) * -1j, num_samples)
    turns = shifts * (torch.arange(num_samples, device=waveforms.device) / sample_rate)
    # Whole turns are removed before the multiplication by 2π: float32 resolves the fraction of a
    # turn better than the cosine of a large angle.
    angles = turns.remainder(1.0) * (2 * math.pi)
    return waveforms * angles.cos() - quarter * angles.sin()


def reverberate(waveforms: Tensor, tails: Tensor) -> Tensor:
    """Add the waveform convolved with an impulse response `tails`, and restore the clip's RMS.

    Shape: waveforms (B, T), tails (B, S) → (B, T)
    """
    num_samples = waveforms.shape[1]
    # Zero-padded by the length of the tail, or late echoes would wrap round to the beginning; up
    # to a multiple of 1024, since the FFT is fast for lengths with many small factors.
    length = -(-(num_samples + tails.shape[1]) // 1024) * 1024
    spectrum = torch.fft.rfft(waveforms, length) * torch.fft.rfft(tails, length)
    echoing = waveforms + waveform_of(spectrum, length)[:, :num_samples]
    return echoing * ratio_or_zero(rms(waveforms), rms(echoing))


def resample(waveforms: Tensor, factor: float) -> Tensor:
    """Resample to `factor` times the rate, band-limited.

    Played at the old rate, a tone at f has moved to f / factor. `factor` is rounded to the nearest
    fraction with a denominator up to 100.

    Shape: (B, T) → (B, ⌈factor · T⌉)

    >>> resample(torch.zeros(2, 1000), 1.2).shape
    torch.Size([2, 1200])
    """
    ratio = Fraction(factor).limit_denominator(100)
    return resample_by_ratio(waveforms, ratio.denominator, ratio.numerator)


def stft_windows(sample_rate: int) -> tuple[int, int, int]:
    """Return three window lengths in samples: the power of two within 23.5 ms, twice, four times.

    >>> stft_windows(22050), stft_windows(16000), stft_windows(8000)
    ((512, 1024, 2048), (256, 512, 1024), (128, 256, 512))
    """
    shortest: int = 2 ** math.floor(math.log2(sample_rate * _SHORTEST_S))
    return shortest, 2 * shortest, 4 * shortest


def stft(waveforms: Tensor, window: int) -> Tensor:
    """Compute the STFT with Hann windows of `window` samples, a quarter of that apart.

    For waveforms of any length. Frames come before bins, unlike in `torch.stft`.

    Shape: (B, T) → (B, L, N) complex with N = window // 2 + 1

    >>> stft(torch.zeros(2, 1000), 512).shape
    torch.Size([2, 11, 257])
    """
    # Zero-padded so that every sample, also the first and the last, lies in exactly four windows:
    # their squares then add up to the same constant everywhere, and `istft` need not divide by a
    # sum that vanishes at the edges. Bins last: the FFT runs fastest along contiguous memory.
    hop, num_samples = window // 4, waveforms.shape[1]
    padded = pad(waveforms, (window - hop, window - hop + -num_samples % hop))
    frames = padded.unfold(1, window, hop) * torch.hann_window(window, device=waveforms.device)
    spectra: Tensor = torch.fft.rfft(frames)
    return spectra


def istft(spectra: Tensor, window: int, num_samples: int) -> Tensor:
    """Return the waveform whose `stft` is nearest to `spectra` (least squares).

    Overlap-add with the same window (Griffin and Lim, 1984); exact for spectra from `stft`.

    Shape: (B, L, N) complex → (B, num_samples)

    >>> istft(stft(torch.ones(1, 5), 4), 4, 5)
    tensor([[1., 1., 1., 1., 1.]])
    """
    hop, (batch, num_frames, _) = window // 4, spectra.shape
    hann = torch.hann_window(window, device=spectra.device)
    quarters: Tensor = torch.fft.irfft(spectra, window).mul_(hann).view(batch, num_frames, 4, hop)
    blocks: Tensor = quarters.new_zeros(batch, num_frames + 3, hop)
    for index in range(4):
        blocks[:, index : index + num_frames] += quarters[:, :, index]
    # Squared Hann windows a quarter apart sum to 3/2: the mean of sin⁴ is 3/8, times four.
    return blocks.view(batch, -1)[:, window - hop : window - hop + num_samples] / 1.5


def phase_of(spectra: Tensor) -> Tensor:
    """Return phases in ±π.

    Shape: any, complex → the same, real
    """
    # Five times as fast on a CPU as `angle`, which reads interleaved parts.
    phases: Tensor = torch.atan2(spectra.imag.contiguous(), spectra.real.contiguous())
    return phases


def rotate_phases(spectra: Tensor, angles: Tensor) -> Tensor:
    """Add `angles` (radians) to the phases, keeping the magnitudes.

    Shape: any, complex → the same
    """
    # Three times as fast on a CPU as `torch.polar`.
    return spectra * torch.complex(angles.cos(), angles.sin())
