"""`ClipRNG`: random numbers that belong to a clip, whatever batch it is in and on whatever device.

A generator hands out numbers in the order of asking, so that a clip's depend on the clips before
it. Here every number is a hash of (seed, purpose, clip, index): SplitMix64 (Steele, Lea and Flood,
"Fast splittable pseudorandom number generators", OOPSLA 2014, section 4), counter by counter.

Legend: B batch.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from audiocls.seeding import seed_of


def _signed(word: int) -> int:
    """A 64-bit word as torch's int64 holds it."""
    return word - 2**64 if word >= 2**63 else word


GOLDEN = _signed(0x9E3779B97F4A7C15)
_ROUNDS = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)), (31, 1))


@dataclass(frozen=True, eq=False)
class ClipRNG:
    """What chance says about each of `clips` (B,), int64 on the CPU, under one `seed`.

    Purposes do not share numbers: one change more or less leaves those of the others as they
    were. A clip that is twice in a batch draws the same twice, so number the rows of an
    over-sampled epoch rather than its clips. Uniform numbers are the same on every device and in
    every batch; normal ones, and what is computed from either, up to rounding.

    >>> draws = ClipRNG(7, torch.tensor([3, 1, 2]))
    >>> torch.equal(draws.uniform("gain")[1:], ClipRNG(7, torch.tensor([1, 2])).uniform("gain"))
    True
    """

    seed: int
    clips: Tensor
    device: torch.device | str = "cpu"
    """Where the numbers are made and lie; `clips` stay on the CPU, where choices are made."""

    def of(self, rows: Tensor) -> "ClipRNG":
        """Those of some clips of the batch, by index."""
        return replace(self, clips=self.clips[rows])

    def on(self, device: torch.device | str) -> "ClipRNG":
        return replace(self, device=device)

    def uniform(self, purpose: str, size: int = 1) -> Tensor:
        """float32 with 24 random bits, in [0, 1).

        Shape: → (B, size)
        """
        words = self._words(purpose, -(-size // 2)).view(torch.int32)[:, :size]
        # The upper 24 bits of each half, signed: moved from ±1/2 to [0, 1) without rounding.
        return (words >> 8).to(torch.float32).mul_(2**-24).add_(0.5)

    def normal(self, purpose: str, size: int = 1) -> Tensor:
        """float32 of mean 0 and deviation 1 (Box and Muller, 1958), within ±5.8.

        Shape: → (B, size)
        """
        half = -(-size // 2)
        uniform = self.uniform(purpose, 2 * half)
        radius = uniform[:, :half].neg().add_(1).log_().mul_(-2).sqrt_()
        angle = uniform[:, half:].mul_(2 * math.pi)
        return torch.cat([angle.cos().mul_(radius), angle.sin_().mul_(radius)], dim=1)[:, :size]

    def between(self, purpose: str, low: float, high: float, size: int = 1) -> Tensor:
        """Uniform in [low, high).

        Shape: → (B, size)
        """
        return low + (high - low) * self.uniform(purpose, size)

    def integers(self, purpose: str, counts: int | Tensor, size: int = 1) -> Tensor:
        """int64, uniform in 0 … `counts` - 1; a tensor of counts gives each clip its own.

        Shape: counts () or (B, 1) or (B, size) → (B, size)
        """
        # In float64 the product stays below the count, however large the count is.
        return (self.uniform(purpose, size).double() * counts).long()

    def bernoulli(self, purpose: str, probability: float) -> Tensor:
        """Whether it happens to a clip; never at 0, always at 1.

        Shape: → (B,) bool
        """
        return self.uniform(purpose)[:, 0] < probability

    def _words(self, purpose: str, count: int) -> Tensor:
        """64 random bits each.

        Shape: → (B, count) int64
        """
        key = seed_of(self.seed, 0, purpose)
        streams = mixed_bits(self.clips.to(self.device, torch.int64) * GOLDEN + key)
        counters = torch.arange(1, count + 1, device=self.device) * GOLDEN
        return mixed_bits(streams.unsqueeze(1) + counters)


def mixed_bits(words: Tensor) -> Tensor:
    """SplitMix64's output function, a bijection of 64-bit words; changes `words` in place.

    Shape: any, int64 → the same
    """
    for shift, factor in _ROUNDS:
        # torch shifts in copies of the sign bit; the mask makes the shift a logical one.
        shifted = (words >> shift).bitwise_and_((1 << (64 - shift)) - 1)
        words.bitwise_xor_(shifted).mul_(factor)
    return words
