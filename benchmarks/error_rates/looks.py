"""Studies that are looked at while they grow: when they claim an effect, and when they give up.

Legend: N studies, A arms, S seeds that may be trained at most.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from differences import Differences
from growing import anytime_half_widths, is_futile
from numpy.typing import NDArray
from rules import present, two_units

from audiocls.stats import can_be_significant, next_look_size, spending

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ends:
    """How studies of one arm end."""

    is_claim: NDArray[np.bool_]
    """(N,)."""
    seeds: NDArray[np.int64]
    """(N,): trained until then."""

    def __str__(self) -> str:
        return f"{100 * self.is_claim.mean():.1f} % in {self.seeds.mean():.1f}"


Watch = Callable[[Differences], Ends]


def spent(rule: Callable[[Differences, float], Array], first: int) -> Watch:
    """A fixed rule with α spent look by look, as the package does today."""

    def watch(found: Differences) -> Ends:
        num_arms, most, num_folds = found.trials.shape[1:]
        sizes = [first]
        while (size := next_look_size(sizes[-1] * num_folds, num_folds) // num_folds) <= most:
            sizes.append(size)
        pairs = [size * num_folds for size in sizes]
        levels = spending(0.05, pairs, num_arms)
        claims = np.zeros((len(found.trials), most), bool)
        for size, num_pairs, level in zip(sizes, pairs, levels, strict=True):
            if rule is present and not can_be_significant(num_pairs, num_arms, level):
                continue
            ps = rule(found.first(size), level / num_arms)
            claims[:, size - 1] = (ps <= level / num_arms).any(axis=1)
        return _ends(claims, np.zeros_like(claims))

    return watch


def anytime(first: int = 2, wanted: float | None = None) -> Watch:
    """The anytime rule after every seed, with a stop for futility where an effect is `wanted`."""

    def watch(found: Differences) -> Ends:
        num, num_arms, most = found.trials.shape[:3]
        claims, futile = np.zeros((2, num, most), bool)
        for size in range(first, most + 1):
            parts = found.first(size).parts
            half = anytime_half_widths(parts, found.ratio, 0.05 / num_arms)
            claims[:, size - 1] = (np.abs(parts.mean) > half).any(axis=1)
            if wanted is not None:
                futile[:, size - 1] = is_futile(parts, found.ratio, wanted).all(axis=1)
        return _ends(claims, futile)

    return watch


def _ends(claims: NDArray[np.bool_], futile: NDArray[np.bool_]) -> Ends:
    """The first claim counts if nothing ended the study before it."""
    most = claims.shape[1]
    claimed = np.where(claims.any(axis=1), claims.argmax(axis=1), most)
    given_up = np.where(futile.any(axis=1), futile.argmax(axis=1), most)
    end = np.minimum(np.minimum(claimed, given_up) + 1, most)
    return Ends((claimed < most) & (claimed <= given_up), end)


WATCHES: dict[str, Watch] = {
    "present rule, α spent": spent(present, 2),
    "two units, α spent": spent(two_units, 2),
    "two units, anytime": anytime(),
    "the same, futility at 6 points": anytime(wanted=0.06),
}
