"""Mixing each clip with another of its batch, and the target of the mixture.

EAT's four (Gazneli et al., 2022, arXiv 2204.11479, section 3.2) and CutMix (Yun et al., 2019,
arXiv 1905.04899) along time. `mixup` follows between-class learning (Tokozume et al., 2018, arXiv
1711.10282, section 3.2): a share is that of the loudness, not that of the samples.

Legend: B batch, T samples, K classes, N frequency bins, L frames.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from audiocls.audio.augment import Augment, Mix
from audiocls.audio.augment import spectral as sp
from audiocls.audio.augment.clip_rng import ClipRNG, Rows
from audiocls.audio.augment.own import OwnMix
from audiocls.audio.augment.rows import put, rows_to_compute, taken
from audiocls.audio.augment.waveform import ratio_or_zero, rms

LEAST_SHARE = 0.1
"""Smallest share of a clip whose classes count in a union of labels."""

Mixed = tuple[Tensor, Tensor]
"""Waveforms (B, T) and the share (B, 1) that the first clip has of the target."""


def mix(
    waveforms: Tensor,
    targets: Tensor,
    options: Augment,
    sample_rate: int,
    draws: ClipRNG,
    epoch: int,
    is_union: bool,
) -> Mixed:
    """Mix every clip with another of its batch, each by one of `options.mixes`.

    Nothing is mixed before `options.mix_from_epoch` (`epoch` is the number of epochs finished),
    nor in a batch of one. `sample_rate` in Hz; `is_union` as in `mix_targets`.

    Shape: waveforms (B, T), targets (B, K) float → (B, T), (B, K)

    >>> options, draws = Augment(mixes=("timemix",)), ClipRNG(0, torch.arange(2))
    >>> waveforms = torch.tensor([[1.0], [-1.0]]).expand(2, 100)
    >>> _, targets = mix(waveforms, torch.eye(2), options, 8000, draws, epoch=0, is_union=True)
    >>> targets
    tensor([[1., 1.],
            [1., 1.]])
    """
    if not is_mixed(options, draws, epoch) or len(waveforms) < 2:
        return waveforms, targets
    draws = draws.on("cpu" if options.has_own_mix else waveforms.device)
    partners = partners_of(draws)
    kinds = draws.per_batch().integers("mix", len(options.mixes))[:, 0]
    mixers = [each.mixed if isinstance(each, OwnMix) else MIXES[each] for each in options.mixes]
    mixed, shares = torch.empty_like(waveforms), waveforms.new_empty(len(waveforms), 1)
    for index, mixer in enumerate(mixers):
        is_due = kinds == index
        if (rows := rows_to_compute(is_due)) is not None:
            first, second = taken(waveforms, rows), taken(waveforms, partners[rows])
            row_draws = draws.on(waveforms.device).of(rows)
            changed, row_shares = mixer(first, second, row_draws, sample_rate)
            put(mixed, rows, changed, is_due)
            put(shares, rows, row_shares, is_due)
    others = targets[partners.to(targets.device)]
    return mixed, mix_targets(targets, others, shares.to(targets.device), is_union)


def is_mixed(options: Augment, draws: ClipRNG, epoch: int) -> bool:
    """Whether the batch of these clips is mixed; `epoch` is the number of epochs finished."""
    if not options.mixes or epoch < options.mix_from_epoch:
        return False
    return options.mix_p == 1 or bool(
        draws.per_batch().on("cpu").bernoulli("mix", options.mix_p)[0]
    )


def partners_of(draws: ClipRNG) -> Tensor:
    """Draw for each clip the row of another: the next in a ring of the batch in random order.

    Shape: → (B,) int64, on the device of `draws`

    >>> partners_of(ClipRNG(0, torch.arange(2)))
    tensor([1, 0])
    """
    ring = draws.uniform("partner")[:, 0].argsort(stable=True)
    partners = torch.empty_like(ring)
    partners[ring] = ring.roll(-1)
    return partners


def mix_targets(first: Tensor, second: Tensor, shares: Tensor, is_union: bool) -> Tensor:
    """Weight both targets by the shares (soft labels), or take all classes of both (`is_union`).

    In a union the other clip counts only if its share is `LEAST_SHARE` or more.

    Shape: first (B, K), second (B, K), shares (B, 1) → (B, K)

    >>> first, second = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> mix_targets(first, second, torch.tensor([[0.75]]), is_union=False)
    tensor([[0.7500, 0.2500]])
    >>> mix_targets(first, second, torch.tensor([[0.95]]), is_union=True)
    tensor([[1., 0.]])
    """
    if is_union:
        return (first + second * (1 - shares >= LEAST_SHARE)).clamp(max=1.0)
    return shares * first + (1 - shares) * second


def mixup(first: Tensor, second: Tensor, shares: Tensor) -> Mixed:
    """Add both clips, weighted so that `first` has its share of the loudness (RMS).

    If either clip is silent, `first` is returned as it is.

    Shape: first (B, T), second (B, T), shares (B, 1) in (0, 1] → (B, T), (B, 1) weights w
    """
    # w such that w·rms(first) : (1 - w)·rms(second) = share : (1 - share). Dividing the sum by
    # √(w² + (1 - w)²) keeps the level of uncorrelated clips of equal level.
    louder = ratio_or_zero(rms(first), rms(second))
    weight = torch.where(louder == 0, 1.0, 1 / (1 + louder * (1 - shares) / shares))
    scale = (weight**2 + (1 - weight) ** 2).rsqrt()
    return torch.addcmul(first * (weight * scale), second, (1 - weight) * scale), weight


def timemix(first: Tensor, second: Tensor, shares: Tensor, is_end: Tensor) -> Tensor:
    """Replace 1 - share of `first`, its end or its beginning, by that part of `second`.

    Shape: first (B, T), second (B, T), shares (B, 1), is_end (B, 1) bool → (B, T)
    """
    return torch.where(_is_outer(first.shape[1], shares, is_end), second, first)


def freqmix(first: Tensor, second: Tensor, shares: Tensor, is_end: Tensor, window: int) -> Tensor:
    """Replace the highest (or lowest) 1 - share of `first`'s STFT bins by those of `second`.

    Shape: first (B, T), second (B, T), shares (B, 1), is_end (B, 1) bool → (B, T)
    """
    is_other = _is_outer(window // 2 + 1, shares, is_end).unsqueeze(1)
    spectra = torch.where(is_other, sp.stft(second, window), sp.stft(first, window))
    return sp.istft(spectra, window, first.shape[1])


def _is_outer(size: int, shares: Tensor, is_end: Tensor) -> Tensor:
    """Return which of `size` positions are in the last (or first) 1 - share of them.

    Shape: shares (B, 1), is_end (B, 1) bool → (B, size) bool
    """
    positions = torch.arange(size, device=shares.device)
    from_the_side = torch.where(is_end, size - 1 - positions, positions)
    return from_the_side < ((1 - shares) * size).floor()


def phasemix(first: Tensor, second: Tensor, shares: Tensor, window: int) -> Tensor:
    """Move the phases of `first`'s STFT towards `second`'s, keeping its magnitudes.

    Shape: first (B, T), second (B, T), shares (B, 1) → (B, T)
    """
    spectra = mix_phases(sp.stft(first, window), sp.stft(second, window), shares.unsqueeze(2))
    return sp.istft(spectra, window, first.shape[1])


def mix_phases(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    """Combine the magnitude of `first` with the phase share·φ1 + (1 - share)·φ2, φ in ±π.

    Shape: first (B, L, N) complex, second (B, L, N), shares (B, 1, 1) → (B, L, N) complex
    """
    return sp.rotate_phases(first, (1 - shares) * (sp.phase_of(second) - sp.phase_of(first)))


def cutmix(first: Tensor, second: Tensor, shares: Tensor, positions: Tensor) -> Tensor:
    """Replace one stretch of `first`, 1 - share of it, by the same stretch of `second`.

    Shape: first (B, T), second (B, T), shares (B, 1), positions (B, 1) in [0, 1] → (B, T)
    """
    num_samples = first.shape[1]
    lengths = ((1 - shares) * num_samples).floor()
    starts = (positions * (num_samples - lengths)).floor()
    samples = torch.arange(num_samples, device=first.device)
    return torch.where((samples >= starts) & (samples < starts + lengths), second, first)


def _mixup(first: Tensor, second: Tensor, draws: ClipRNG, sample_rate: int) -> Mixed:
    """Draw the share of the loudness, 0.1 to 1: (B, T), (B, T) → (B, T), (B, 1)."""
    return mixup(first, second, draws.between("mix share", 0.1, 1.0))


def _timemix(first: Tensor, second: Tensor, draws: ClipRNG, sample_rate: int) -> Mixed:
    """Draw the kept part, 0.5 to 1, and its side: (B, T), (B, T) → (B, T), (B, 1)."""
    shares = draws.between("mix share", 0.5, 1.0)
    return timemix(first, second, shares, _is_end(draws)), shares


def _freqmix(first: Tensor, second: Tensor, draws: ClipRNG, sample_rate: int) -> Mixed:
    """Draw the kept bins, 0.5 to 1, side and window: (B, T), (B, T) → (B, T), (B, 1)."""
    shares = draws.between("mix share", 0.5, 1.0)
    is_end = _is_end(draws)

    def mixed(rows: Rows, window: int) -> Tensor:
        one, other, share, end = (taken(each, rows) for each in (first, second, shares, is_end))
        return freqmix(one, other, share, end, window)

    return _by_window(first, draws, sample_rate, mixed), shares


def _phasemix(first: Tensor, second: Tensor, draws: ClipRNG, sample_rate: int) -> Mixed:
    """Draw the share s of the phase; (1 + s) / 2 of the target: (B, T), (B, T) → (B, T), (B, 1)."""
    shares = draws.uniform("mix share")

    def mixed(rows: Rows, window: int) -> Tensor:
        one, other, share = (taken(each, rows) for each in (first, second, shares))
        return phasemix(one, other, share, window)

    return _by_window(first, draws, sample_rate, mixed), 0.5 * shares + 0.5


def _cutmix(first: Tensor, second: Tensor, draws: ClipRNG, sample_rate: int) -> Mixed:
    """Draw the kept part, 0.5 to 1, and the place of the cut: (B, T), (B, T) → (B, T), (B, 1)."""
    shares = draws.between("mix share", 0.5, 1.0)
    return cutmix(first, second, shares, draws.uniform("mix position")), shares


def _is_end(draws: ClipRNG) -> Tensor:
    """Draw whether the end of a clip is replaced, not its beginning. Shape: → (B, 1) bool"""
    return draws.bernoulli("mix side", 0.5).unsqueeze(1)


def _by_window(
    first: Tensor,
    draws: ClipRNG,
    sample_rate: int,
    mixed: Callable[[Rows, int], Tensor],
) -> Tensor:
    """Apply `mixed` in STFT windows of a length that each clip draws.

    Shape: first (B, T) → (B, T)
    """
    result = torch.empty_like(first)
    choices = draws.per_batch().integers("mix window", 3)[:, 0]
    for index, window in enumerate(sp.stft_windows(sample_rate)):
        is_due = choices == index
        if (rows := rows_to_compute(is_due)) is not None:
            put(result, rows, mixed(rows, window), is_due)
    return result


MIXES: dict[Mix, Callable[[Tensor, Tensor, ClipRNG, int], Mixed]] = {
    "mixup": _mixup,
    "timemix": _timemix,
    "freqmix": _freqmix,
    "phasemix": _phasemix,
    "cutmix": _cutmix,
}
