"""Studies that are looked at while they grow: when they claim an effect, and when they give up.

Legend: N studies, A arms, S seeds that may be trained at most.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from differences import Differences
from numpy.typing import NDArray
from pairs import can_be_significant, next_look_size, spending
from rules import Rule, retired, two_units

from audiocls.stats import (
    anytime_errors,
    equivalence_p,
    half_width,
    is_futile,
    uncertainties,
    with_one_won_and_one_lost,
)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ends:
    """How studies end."""

    is_claim: NDArray[np.bool_]
    """(N,): of any arm."""
    seeds: NDArray[np.float64]
    """(N,): trained until then, on average over arms."""

    def __str__(self) -> str:
        return f"{100 * self.is_claim.mean():.1f} % in {self.seeds.mean():.1f}"


Watch = Callable[[Differences], Ends]


def spent(rule: Rule, first: int) -> Watch:
    """A fixed rule with α spent look by look, as it was done before."""

    def watch(found: Differences) -> Ends:
        sizes = [first]
        num_folds = found.num_folds
        while (size := next_look_size(sizes[-1] * num_folds, num_folds) // num_folds) <= (
            found.num_seeds
        ):
            sizes.append(size)
        pairs = [size * num_folds for size in sizes]
        levels = spending(0.05, pairs, found.num_arms)
        ends = np.full(found.trials.shape[:2], found.num_seeds)
        is_claim = np.zeros_like(ends, dtype=bool)
        for size, num_pairs, level in zip(sizes, pairs, levels, strict=True):
            if rule is retired and not can_be_significant(num_pairs, found.num_arms, level):
                continue
            ps = rule(found.first(size), level / found.num_arms)
            new = ~is_claim & (ps <= level / found.num_arms)
            ends, is_claim = np.where(new, size, ends), is_claim | new
        return Ends(is_claim.any(axis=1), ends.mean(axis=1))

    return watch


def anytime(first: int = 2, wanted: float | None = None, margin: float | None = None) -> Watch:
    """The rule of the package after every seed, with a stop for futility if an effect is `wanted`.

    With a `margin`, claims of equivalence are counted instead.
    """

    def watch(found: Differences) -> Ends:
        is_open = np.ones(found.trials.shape[:2], bool)
        is_claim, ends = np.zeros_like(is_open), np.full(is_open.shape, found.num_seeds)
        for size in range(first, found.num_seeds + 1):
            claimed, futile = _at_look(found.first(size), is_open, wanted, margin)
            is_claim |= claimed
            ends[claimed | futile] = size
            is_open &= ~(claimed | futile)
        return Ends(is_claim.any(axis=1), ends.mean(axis=1))

    return watch


def _at_look(
    found: Differences, is_open: NDArray[np.bool_], wanted: float | None, margin: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of the open arms are claimed, and which are given up.

    Only arms that are still open share an estimate; until something is claimed, all of them count
    in the correction. Shape: (N, A) →
    """
    claimed, futile = np.zeros((2, *is_open.shape), bool)
    for arms in np.unique(is_open, axis=0):
        if not arms.any():
            continue
        studies = (is_open == arms).all(axis=1)
        components = (part := found.of(studies, arms)).components
        level, place = 0.05 / found.num_arms, np.ix_(studies, arms)
        if margin is None:
            half = half_width(anytime_errors(components, found.ratio), level)
            claimed[place] = np.abs(components.mean) > half
        else:
            claimed[place] = equivalence(part, margin, is_watched=True) <= level
        if wanted is not None:
            futile[place] = is_futile(components, found.ratio, wanted) & ~claimed[place]
    return claimed, futile


def equivalence(found: Differences, margin: float, is_watched: bool = False) -> Array:
    """Return the p of each arm, before correction, that it is `margin` or more away.

    Of accuracies. Shape: → (N, A)
    """
    components = found.components
    num_clips = round(found.num_folds / found.step)
    careful = with_one_won_and_one_lost(components, components.num_recordings or num_clips, 1.0)
    errors = (anytime_errors if is_watched else uncertainties)(careful, found.ratio)
    return equivalence_p(errors, components.mean, margin)


WATCHES: dict[str, Watch] = {
    "old rule, α spent": spent(retired, 2),
    "two units, α spent": spent(two_units, 2),
    "new rule": anytime(),
    "the same, futility at 6 points": anytime(wanted=0.06),
}
