"""Compute that arms took for training: whether it is equal, and notes where it need not be."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from audiocls.analysis.pairing import Pair, Pairs
from audiocls.store.record import Cost

TOLERANCE, TOLERANCE_OF_SECONDS = 0.01, 0.05
"""Relative. Wall time is never the same twice, not even in sum."""


def _multiplications(cost: Cost) -> float | None:
    """Return multiplications of all forward passes: SAM takes twice as many at equal epochs."""
    macs, samples, passes, steps = cost.macs, cost.samples, cost.gradient_passes, cost.steps
    if macs is None or samples is None or passes is None or steps is None:
        return None
    return macs * samples * passes / max(1, steps)


COMPUTE: dict[str, Callable[[Cost], float | None]] = {
    "epochs": lambda cost: cost.epochs,
    "steps": lambda cost: cost.steps,
    "samples": lambda cost: cost.samples,
    "macs": _multiplications,
    "seconds": lambda cost: cost.wall_s,
}
"""What may have to be equal, by its name in `match`; `None` where it was not recorded."""


@dataclass(frozen=True)
class ComputeRatio:
    """Compute of both sides of a pair, or of all pairs in sum; `None` where nobody recorded it."""

    arm: float | None
    reference: float | None

    @property
    def is_unknown(self) -> bool:
        """Whether neither side was recorded."""
        return self.arm is None and self.reference is None

    @property
    def is_half_known(self) -> bool:
        """Whether one side alone was recorded; unknown is equal to unknown only, with a note."""
        return (self.arm is None) != (self.reference is None)

    @property
    def ratio(self) -> float:
        """The arm's over its reference's; 1 where that is unknown."""
        if self.arm is None or self.reference is None or self.arm == self.reference:
            return 1.0
        return self.arm / self.reference if self.reference else math.inf

    def is_equal(self, tolerance: float = TOLERANCE) -> bool:
        """Whether both are equal within a relative tolerance, or their ratio is unknown."""
        return math.isclose(self.ratio, 1.0, rel_tol=tolerance)


def spent_on(pair: Pair, match: str) -> ComputeRatio:
    """Return the compute of both sides, in the unit that `match` names (a key of `COMPUTE`)."""
    measure = COMPUTE[match]
    return ComputeRatio(measure(pair.arm.cost), measure(pair.reference.cost))


def total(each: Iterable[ComputeRatio]) -> ComputeRatio:
    """Return the sum over the pairs of which both sides are known."""
    known = [(s.arm, s.reference) for s in each if s.arm is not None and s.reference is not None]
    return ComputeRatio(math.fsum(arm for arm, _ in known), math.fsum(other for _, other in known))


def unequal_compute(pairs: Pairs, match: str) -> str:
    """Return why the arm's compute is not its reference's, or an empty text."""
    each = [spent_on(pair, match) for pair in pairs.complete]
    if halves := [spent for spent in each if spent.is_half_known]:
        known, other = (pairs.reference, pairs.arm)
        known, other = (known, other) if halves[0].arm is None else (other, known)
        one_sided = f"{match} recorded for {known} and not for {other}"
        return f"unequal compute in {pairs.share(len(halves))}: {one_sided}"
    if match == "seconds":
        return _unequal_seconds(pairs, total(each))
    odd = [spent for spent in each if not spent.is_equal()]
    return (
        f"unequal compute in {pairs.share(len(odd))}: {_unequal_reason(pairs, match, odd)}"
        if odd
        else ""
    )


def _unequal_reason(pairs: Pairs, match: str, odd: Sequence[ComputeRatio]) -> str:
    return f"{match} {odd[0].arm:.4g}, {odd[0].ratio:.2f} times those of {pairs.reference}"


def _unequal_seconds(pairs: Pairs, spent: ComputeRatio) -> str:
    """Compare sums, since one trial's wall time also depends on what else the machine does."""
    if spent.is_equal(TOLERANCE_OF_SECONDS):
        return ""
    num, ratio = len(pairs.complete), f"{spent.ratio:.2f} times"
    return (
        f"unequal compute: seconds over all {num} pairs are {ratio} those of {pairs.reference} "
        f"({TOLERANCE_OF_SECONDS * 100:g} % more or less allowed)"
    )


def extra_compute(every: Sequence[Pairs], match: str) -> list[str]:
    """Return which arms took more than their reference although `match` allows it, and how much."""
    return [*_more_clips(every, match), *_more_passes(every, match)]


def _more_clips(every: Sequence[Pairs], match: str) -> list[str]:
    """Return a note on more clips at equal epochs on the same clips: a pre-training stage."""
    if match != "epochs":
        return []
    clips = {pairs.arm: _num_clips(pairs) for pairs in every}
    odd = [f"{arm} {spent.ratio:.2g} times" for arm, spent in clips.items() if not spent.is_equal()]
    if not odd:
        return []
    return [
        "Epochs are equal after pre-training, not with it: compared with "
        f"{_references(every)}, {', '.join(odd)} as many clips were heard in all. With "
        "budget.match: samples they would not be comparable."
    ]


def _num_clips(pairs: Pairs) -> ComputeRatio:
    return total(
        spent_on(pair, "samples")
        for pair in pairs.complete
        if pair.arm.num_train == pair.reference.num_train
    )


def _more_passes(every: Sequence[Pairs], match: str) -> list[str]:
    """Return a note on several gradients a step (SAM); a model's own size is in the table."""
    if match in ("macs", "seconds"):
        return []
    unlike = [p for p in every if not total(map(_passes_a_step, p.complete)).is_equal()]
    spent = {p.arm: total(spent_on(pair, "macs") for pair in p.complete) for p in unlike}
    odd = [f"{each.ratio:.2g} times in {arm}" for arm, each in spent.items() if not each.is_equal()]
    if not odd:
        return []
    return [
        f"At equal {match}, training took the multiplications of {_references(unlike)} "
        f"{', '.join(odd)}. With budget.match: macs that would not be comparable."
    ]


def _passes_a_step(pair: Pair) -> ComputeRatio:
    sides = (pair.arm.cost, pair.reference.cost)
    arm, reference = (
        c.gradient_passes / c.steps if c.gradient_passes is not None and c.steps else None
        for c in sides
    )
    return ComputeRatio(arm, reference)


def _references(every: Sequence[Pairs]) -> str:
    names = {pairs.reference for pairs in every}
    return names.pop() if len(names) == 1 else "their references"
