"""`ClipRNG`: a counter-based random number generator, keyed by (seed, purpose, clip).

A stateful generator hands out numbers in order, so that those of a clip depend on the clips before
it. Here every number is a hash of (seed, purpose, clip, index), independent of batch and device:
the idea of Philox (Salmon et al., SC 2011) and of `jax.random.fold_in`, with SplitMix64 as the
hash (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
section 4).

Legend: B batch.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from audiocls.seeding import seed_of


def has_float64(device: torch.device) -> bool:
    """Whether a device computes in float64; Apple's, Google's and many of Intel's do not."""
    return device.type in ("cpu", "cuda", "meta")


def _signed(word: int) -> int:
    """Return the signed integer with the bits of an unsigned 64-bit word, as int64 holds it."""
    return word - 2**64 if word >= 2**63 else word


GOLDEN = _signed(0x9E3779B97F4A7C15)
_ROUNDS = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)), (31, 1))


Rows = Tensor | slice
"""Rows of a batch: their numbers (b,) int64, or `EVERY` one."""
EVERY = slice(None)


@dataclass(frozen=True, eq=False)
class ClipRNG:
    """Random numbers for each of `clips` (B,), int64 on the CPU, under one `seed`.

    Purposes do not share numbers: adding or removing one augmentation leaves the draws of the
    others unchanged. A clip that is twice in a batch draws the same twice, so number the rows of an
    over-sampled epoch rather than its clips. Uniform numbers are the same on every device and in
    every batch; normal ones, and results computed from either, are so up to rounding.

    >>> draws = ClipRNG(7, torch.tensor([3, 1, 2]))
    >>> torch.equal(draws.uniform("gain")[1:], ClipRNG(7, torch.tensor([1, 2])).uniform("gain"))
    True
    """

    seed: int
    clips: Tensor
    device: torch.device | str = "cpu"
    """Device of the numbers; `clips` stay on the CPU, where choices between branches are made."""
    shared: int | None = None
    """The clip whose numbers the whole batch has, where it draws once; none if each clip does."""
    clips_on_device: Tensor | None = None
    """`clips` on an accelerator, where a copy of them would make the host wait for it."""

    def of(self, rows: Rows) -> "ClipRNG":
        """Return the generator of some clips of the batch.

        Shape: rows (b,) int64 on the CPU, indices into `clips`
        """
        if isinstance(rows, slice):
            return self.span(*rows.indices(len(self.clips))[:2])
        return replace(self, clips=self.clips[rows], clips_on_device=None)

    def span(self, start: int, stop: int) -> "ClipRNG":
        """Return the generator of the clips `start` … `stop` - 1, without copying them."""
        clips_on_device = None if self.clips_on_device is None else self.clips_on_device[start:stop]
        return replace(self, clips=self.clips[start:stop], clips_on_device=clips_on_device)

    def split(self, sizes: list[int]) -> "list[ClipRNG]":
        """Return the generators of `sizes` clips each, which follow one another."""
        clips = torch.split(self.clips, sizes)
        clips_on_device = (
            [None] * len(sizes)
            if self.clips_on_device is None
            else torch.split(self.clips_on_device, sizes)
        )
        return [
            ClipRNG(self.seed, own, self.device, self.shared, there)
            for own, there in zip(clips, clips_on_device, strict=True)
        ]

    def per_batch(self) -> "ClipRNG":
        """Return the generator of what a batch draws once, if it does; else the same one."""
        if self.shared is None:
            return self
        clips_on_device = (
            None
            if self.clips_on_device is None
            else torch.full_like(self.clips_on_device, self.shared)
        )
        return replace(
            self, clips=torch.full_like(self.clips, self.shared), clips_on_device=clips_on_device
        )

    def on(self, device: torch.device | str) -> "ClipRNG":
        """Return the same generator with its numbers on `device`."""
        return replace(self, device=device)

    def uniform(self, purpose: str, size: int = 1) -> Tensor:
        """Draw float32 numbers in [0, 1), with 24 random bits.

        Shape: → (B, size)
        """
        # A signed integer in ±2²³ is held exactly by float32; times 2⁻²⁴ and plus 1/2 it lies in
        # [0, 1).
        return self._halves(purpose, size).to(torch.float32).mul_(2**-24).add_(0.5)

    def normal(self, purpose: str, size: int = 1) -> Tensor:
        """Draw float32 numbers of mean 0 and deviation 1 (Box and Muller, 1958), within ±5.8.

        Shape: → (B, size)
        """
        # 1 - u in (0, 1], so that the logarithm is finite; u < 1 - 2⁻²⁴ bounds the radius by 5.8.
        half = -(-size // 2)
        uniform = self.uniform(purpose, 2 * half)
        radius = uniform[:, :half].neg().add_(1).log_().mul_(-2).sqrt_()
        angle = uniform[:, half:].mul_(2 * math.pi)
        return torch.cat([angle.cos().mul_(radius), angle.sin_().mul_(radius)], dim=1)[:, :size]

    def between(self, purpose: str, low: float, high: float, size: int = 1) -> Tensor:
        """Draw float32 numbers uniform in [low, high).

        Shape: → (B, size)
        """
        return low + (high - low) * self.uniform(purpose, size)

    def integers(self, purpose: str, counts: int | Tensor, size: int = 1) -> Tensor:
        """Draw int64 numbers uniform in 0 … `counts` - 1; a tensor gives each clip its own count.

        Shape: counts () or (B, 1) or (B, size) → (B, size)
        """
        # ⌊uniform · counts⌋ without rounding, which could reach the count itself in float32, and
        # without float64, which not every device has. By halves: the product may exceed 64 bits.
        drawn = self._halves(purpose, size).to(torch.int64) + 2**23
        return drawn * (counts >> 24) + (drawn * (counts & (1 << 24) - 1) >> 24)

    def bernoulli(self, purpose: str, probability: float) -> Tensor:
        """Draw whether an event of that probability happens; never at 0, always at 1.

        Shape: → (B,) bool
        """
        return self.uniform(purpose)[:, 0] < probability

    def _halves(self, purpose: str, size: int) -> Tensor:
        """Draw integers in ±2²³: the upper 24 bits of each half of a 64-bit word.

        Shape: → (B, size) int32
        """
        words = self._words(purpose, -(-size // 2)).view(torch.int32)[:, :size]
        return right_shifted(words, 8)

    def _words(self, purpose: str, count: int) -> Tensor:
        """Draw words of 64 random bits: SplitMix64's stream of each clip, words 1 … count.

        Shape: → (B, count) int64
        """
        key = seed_of(self.seed, 0, purpose)
        streams = mix_bits(self._clips_there().to(torch.int64) * GOLDEN + key)
        counters = torch.arange(1, count + 1, device=self.device) * GOLDEN
        return mix_bits(streams.unsqueeze(1) + counters)

    def _clips_there(self) -> Tensor:
        """Return `clips` on the device of the numbers. Shape: → (B,)"""
        is_on_device = self.clips_on_device is not None and torch.device(self.device).type != "cpu"
        return (
            self.clips_on_device
            if is_on_device and self.clips_on_device is not None
            else self.clips.to(self.device)
        )


def mix_bits(words: Tensor) -> Tensor:
    """Apply SplitMix64's output function, a bijection of 64-bit words, in place.

    Shape: any, int64 → the same
    """
    for shift, factor in _ROUNDS:
        # The mask removes the copies of the sign bit, which makes the shift a logical one.
        shifted = right_shifted(words, shift).bitwise_and_((1 << (64 - shift)) - 1)
        words.bitwise_xor_(shifted).mul_(factor)
    return words


def right_shifted(words: Tensor, shift: int) -> Tensor:
    """Shift arithmetically, rounding towards minus infinity, on every device.

    `>>` is no such shift everywhere: on XLA it rounds negative numbers towards zero.

    Shape: any, int32 or int64 → the same

    >>> right_shifted(torch.tensor([-5, 5]), 1)
    tensor([-3,  2])
    """
    return torch.bitwise_right_shift(words, shift)
