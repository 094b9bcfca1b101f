"""What can be done to waves through their spectrum: delay, filter, shift, echo, resample.

Whole-clip spectra are circular: what a delay or a filter pushes over one end of the clip comes
back at the other.

Legend: B batch, T samples, S samples of a tail, N frequency bins, L frames.
"""

import math
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.functional import pad

from audiocls.audio.augment.waveform import ratio_or_zero, rms

ORDER = 4
"""Of the Butterworth responses: 24 dB an octave beyond the cutoff."""
_SHORTEST_S = 0.0235


def wave_of(spectrum: Tensor, num_samples: int) -> Tensor:
    """The real wave whose `rfft` this is.

    Shape: (B, N) complex → (B, T)
    """
    wave: Tensor = torch.fft.irfft(spectrum, num_samples)
    return wave


def delayed(waves: Tensor, delays: Tensor) -> Tensor:
    """Later by a fraction of a sample, as band-limited interpolation would.

    Every magnitude of the spectrum is kept: the bin at half the sample rate, which a real wave
    cannot turn, stays as it is.

    Shape: waves (B, T), delays (B, 1) in samples → (B, T)

    >>> delayed(torch.eye(1, 5), torch.tensor([[2.0]])).argmax()
    tensor(2)
    """
    num_samples = waves.shape[1]
    spectrum = torch.fft.rfft(waves)
    bins = torch.arange(spectrum.shape[1], device=waves.device)
    angles = delays * (bins * (-2 * math.pi / num_samples))
    if num_samples % 2 == 0:
        angles[:, -1] = 0.0
    return wave_of(turned(spectrum, angles), num_samples)


def lowpassed(waves: Tensor, cutoffs: Tensor, sample_rate: int) -> Tensor:
    """Butterworth's magnitude without its phase, -3 dB at the cutoff.

    Shape: waves (B, T), cutoffs (B, 1) in Hz → (B, T)
    """
    return _filtered(waves, _frequencies(waves, sample_rate) / cutoffs)


def highpassed(waves: Tensor, cutoffs: Tensor, sample_rate: int) -> Tensor:
    """The mirror image of `lowpassed`: -3 dB at the cutoff, nothing at 0 Hz.

    Shape: waves (B, T), cutoffs (B, 1) in Hz → (B, T)
    """
    return _filtered(waves, cutoffs / _frequencies(waves, sample_rate))


def _frequencies(waves: Tensor, sample_rate: int) -> Tensor:
    """Of the bins in Hz; 0 Hz is a little more, to divide by.

    Shape: (B, T) → (N,)
    """
    hertz: Tensor = torch.fft.rfftfreq(waves.shape[1], 1 / sample_rate, device=waves.device)
    return hertz.clamp(min=torch.finfo(torch.float32).tiny)


def _filtered(waves: Tensor, ratios: Tensor) -> Tensor:
    """Shape: waves (B, T), ratios (B, N) → (B, T)."""
    response: Tensor = (1 + ratios ** (2 * ORDER)).rsqrt()
    return wave_of(torch.fft.rfft(waves) * response, waves.shape[1])


def frequency_shifted(waves: Tensor, shifts: Tensor, sample_rate: int) -> Tensor:
    """Every component moved by the same number of hertz (single sideband), not of semitones.

    With x̂ the Hilbert transform of x, which turns each component by a quarter: x cos θ - x̂ sin θ.

    Shape: waves (B, T), shifts (B, 1) in Hz → (B, T)

    >>> cosine = torch.tensor([[1.0, 0.0, -1.0, 0.0]])  # 1 Hz at 4 Hz, up to 2 Hz
    >>> frequency_shifted(cosine, torch.tensor([[1.0]]), 4).round()
    tensor([[ 1., -1.,  1., -1.]])
    """
    num_samples = waves.shape[1]
    quarter = wave_of(torch.fft.rfft(waves) * -1j, num_samples)
    turns = shifts * (torch.arange(num_samples, device=waves.device) / sample_rate)
    # Whole turns are dropped while float32 still resolves their fraction.
    angles = turns.remainder(1.0) * (2 * math.pi)
    return waves * angles.cos() - quarter * angles.sin()


def reverberated(waves: Tensor, tails: Tensor) -> Tensor:
    """The direct sound and its echoes by `tails`, at the level the clip had.

    Shape: waves (B, T), tails (B, S) → (B, T)
    """
    num_samples = waves.shape[1]
    # No echo may come round to the beginning, and 1024 ways to split make a fast transform.
    length = -(-(num_samples + tails.shape[1]) // 1024) * 1024
    spectrum = torch.fft.rfft(waves, length) * torch.fft.rfft(tails, length)
    echoing = waves + wave_of(spectrum, length)[:, :num_samples]
    return echoing * ratio_or_zero(rms(waves), rms(echoing))


def resampled(waves: Tensor, factor: float) -> Tensor:
    """At `factor` times the rate, band-limited; heard at the old rate, a tone at f is at f/factor.

    Shape: (B, T) → (B, ⌈factor · T⌉)

    >>> resampled(torch.zeros(2, 1000), 1.2).shape
    torch.Size([2, 1200])
    """
    # Imported here because its import takes a second.
    from torchaudio.functional import resample

    ratio = Fraction(factor).limit_denominator(100)
    longer: Tensor = resample(waves, ratio.denominator, ratio.numerator)
    return longer


def stft_windows(sample_rate: int) -> tuple[int, int, int]:
    """Lengths in samples to choose from: 23, 46 and 93 ms, or the next powers of two below.

    >>> stft_windows(22050), stft_windows(16000), stft_windows(8000)
    ((512, 1024, 2048), (256, 512, 1024), (128, 256, 512))
    """
    shortest: int = 2 ** math.floor(math.log2(sample_rate * _SHORTEST_S))
    return shortest, 2 * shortest, 4 * shortest


def stft(waves: Tensor, window: int) -> Tensor:
    """Hann windows a quarter apart from before the first sample to after the last.

    Any length will do, and every sample lies in four windows, so that `istft` need not divide by
    what the edges lack. Frames before bins: the order in which transforms run fast.

    Shape: (B, T) → (B, L, N) complex

    >>> stft(torch.zeros(2, 1000), 512).shape
    torch.Size([2, 11, 257])
    """
    hop, num_samples = window // 4, waves.shape[1]
    padded = pad(waves, (window - hop, window - hop + -num_samples % hop))
    frames = padded.unfold(1, window, hop) * torch.hann_window(window, device=waves.device)
    spectra: Tensor = torch.fft.rfft(frames)
    return spectra


def istft(spectra: Tensor, window: int, num_samples: int) -> Tensor:
    """The wave whose `stft` is nearest to `spectra` in the sense of least squares.

    Shape: (B, L, N) complex → (B, T)

    >>> istft(stft(torch.ones(1, 5), 4), 4, 5)
    tensor([[1., 1., 1., 1., 1.]])
    """
    hop, (batch, num_frames, _) = window // 4, spectra.shape
    hann = torch.hann_window(window, device=spectra.device)
    quarters: Tensor = torch.fft.irfft(spectra, window).mul_(hann).view(batch, num_frames, 4, hop)
    blocks: Tensor = quarters.new_zeros(batch, num_frames + 3, hop)
    for index in range(4):
        blocks[:, index : index + num_frames] += quarters[:, :, index]
    # Squared Hann windows a quarter apart sum to 3/2.
    return blocks.view(batch, -1)[:, window - hop : window - hop + num_samples] / 1.5


def phase_of(spectra: Tensor) -> Tensor:
    """Principal values in ±π; five times as fast on a CPU as `angle` of interleaved numbers.

    Shape: any, complex → the same, real
    """
    phases: Tensor = torch.atan2(spectra.imag.contiguous(), spectra.real.contiguous())
    return phases


def turned(spectra: Tensor, angles: Tensor) -> Tensor:
    """Phases moved by `angles`, magnitudes kept; three times as fast on a CPU as by `polar`.

    Shape: any, complex → the same
    """
    return spectra * torch.complex(angles.cos(), angles.sin())
