"""What forbids comparing an arm with its reference, with what differs and where."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from audiocls.analysis.pairing import Pair, Pairs, first_of
from audiocls.dotted import flatten
from audiocls.store.record import Cost, Record, Study
from audiocls.store.same_numbers import canonical_code
from audiocls.store.tuning import Choice

UNKNOWN = "not recorded"
Part = Callable[[Record], str]
# Not Python's version, which decides no number, and not the threads: a worker has one.
AGREEING: dict[str, Part] = {
    "code": lambda record: canonical_code(record.provenance.code),
    "torch": lambda record: record.provenance.torch,
    "device": lambda record: record.provenance.device,
    "execution": lambda record: record.provenance.execution or "eager",
    "data": lambda record: record.provenance.data,
    "test clips": lambda record: record.test_clips,
}
"""What must be the same on both sides of a pair; empty where it was not recorded."""


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


def incomparability(study: Study, pairs: Pairs) -> str:
    """Return why this arm may not be compared with its reference, or an empty text."""
    reasons = (
        _unequal_tuning(study, pairs) if study.tuning else "",
        _missing_pairs(study, pairs),
        *(_differing(name, pairs, part) for name, part in AGREEING.items()),
        _other_protocol(study, pairs),
        _unequal_compute(pairs, study.match),
        _stopped_early(pairs),
        _inert(pairs, is_program=bool(study.program)),
    )
    return "; ".join(filter(None, reasons))


def _unequal_tuning(study: Study, pairs: Pairs) -> str:
    """Return why the arm's tuning is not its reference's, or an empty text."""
    assert study.tuning is not None
    arm, reference = study.tuning.of(pairs.arm), study.tuning.of(pairs.reference)
    failed = [each for side in (arm, reference) for each in side.values() if each.values is None]
    if failed:
        folds = fold_names([each.fold for each in failed if each.arm == failed[0].arm])
        return f"{failed[0].arm} could not be tuned for {folds}: {failed[0].reason}"
    odd = [fold for fold in arm if _num_finished(arm, fold) != _num_finished(reference, fold)]
    if not odd:
        return ""
    counts = f"{_num_finished(arm, odd[0])}, {pairs.reference} {_num_finished(reference, odd[0])}"
    return f"tuned in another number of trials for {fold_names(odd)}: {counts}"


def _num_finished(choices: Mapping[int, Choice], fold: int) -> int:
    return choices[fold].num_finished if fold in choices else 0


def fold_names(folds: Sequence[int]) -> str:
    """Return the folds as a text: `fold 3`, `folds 1, 2`."""
    return f"fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}"


def _missing_pairs(study: Study, pairs: Pairs) -> str:
    num_missing = len(pairs.missing)
    if not pairs.num_planned:
        return "no trial of this arm was planned"
    if num_missing <= study.max_missing:
        return ""
    return (
        f"{num_missing} of {pairs.num_planned} pairs missing ({study.max_missing} allowed): "
        f"{first_of(pairs.missing)}"
    )


def _differing(name: str, pairs: Pairs, part: Part) -> str:
    sides = [(part(pair.arm), part(pair.reference)) for pair in pairs.complete]
    return _different(name, pairs, [(arm, other) for arm, other in sides if arm != other])


def _different(what: str, pairs: Pairs, odd: Sequence[tuple[str, str]]) -> str:
    if not odd:
        return ""
    arm, other = (value or UNKNOWN for value in odd[0])
    return f"different {what} in {pairs.share(len(odd))}: {arm}, {pairs.reference} {other}"


def _other_protocol(study: Study, pairs: Pairs) -> str:
    """Return how the choice of the tested weights differs, unless that is what the arm is about."""
    declared = changed_keys(study, pairs)
    odd = [
        (_undeclared(pair.arm, declared), _undeclared(pair.reference, declared))
        for pair in pairs.complete
    ]
    return _different("protocol", pairs, [(arm, other) for arm, other in odd if arm != other])


def protocol_of(record: Record) -> str:
    """Return how the record's weights were chosen, as `key=value` words."""
    return record.provenance.protocol


def _undeclared(record: Record, declared: set[str]) -> str:
    words = protocol_of(record).split()
    return " ".join(word for word in words if word.partition("=")[0] not in declared)


def changed_keys(study: Study, pairs: Pairs) -> set[str]:
    """Return the dotted keys in which the arm is to differ from its reference."""
    arm, other = (flatten(study.arms[name]) for name in (pairs.arm, pairs.reference))
    unset = object()
    return {key for key in arm | other if arm.get(key, unset) != other.get(key, unset)}


def _stopped_early(pairs: Pairs) -> str:
    odd = sum(pair.arm.early_stopped or pair.reference.early_stopped for pair in pairs.complete)
    return f"stopped early in {pairs.share(odd)}" if odd else ""


def _inert(pairs: Pairs, is_program: bool) -> str:
    """Return a text if the arm ended as its reference did: a difference of 0 that means nothing."""
    mirrors = is_program and _mirrors(pairs)
    if not pairs.complete or not (mirrors or is_inert(pairs)):
        return ""
    compared = "metrics" if mirrors else "first losses and test metrics"
    return (
        f"identical to {pairs.reference} in all {len(pairs.complete)} pairs, {compared} to the "
        "last bit: what it changes had no effect (an inert factor?)"
    )


def is_inert(pairs: Pairs) -> bool:
    """Whether the arm's trials are those of its reference to the last bit."""
    return all(map(_is_identical, pairs.complete))


def _mirrors(pairs: Pairs) -> bool:
    """Whether an arm of a program has every metric of its reference in each of two pairs or more.

    They must vary between the pairs, which takes two: metrics that saturate are alike everywhere.
    """
    sides = [(_metrics_of(pair.arm), _metrics_of(pair.reference)) for pair in pairs.complete]
    return all(arm == other for arm, other in sides) and len({arm for arm, _ in sides}) > 1


def _metrics_of(record: Record) -> tuple[tuple[str, float], ...]:
    """Return the metrics of a program, without what W&B adds, such as `_runtime`."""
    return tuple(sorted(item for item in record.metrics.items() if not item[0].startswith("_")))


def _is_identical(pair: Pair) -> bool:
    arm = outcome_of(pair.arm)
    return arm is not None and arm == outcome_of(pair.reference)


def outcome_of(record: Record) -> tuple[object, ...] | None:
    """Return first losses and test metrics, if both are known.

    Losses alone would blame what acts late, such as averages of weights; metrics alone would
    blame what saturates.
    """
    tested = sorted(item for item in record.metrics.items() if item[0].startswith("test/"))
    return (record.first_losses, *tested) if record.first_losses and tested else None


@dataclass(frozen=True)
class ComputeRatio:
    """Compute of both sides of a pair, or of all pairs in sum; `None` where it was not recorded."""

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


def _unequal_compute(pairs: Pairs, match: str) -> str:
    """Return why the arm's compute is not its reference's, or an empty text."""
    if match == "none":
        return ""
    if match == "seconds" and (num := sum(map(_is_packed, pairs.complete))):
        shares = "seconds are shares of what several trials took at once"
        return f"unequal compute in {pairs.share(num)}: {shares}"
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


def _is_packed(pair: Pair) -> bool:
    return any(record.cost.pack for record in (pair.arm, pair.reference))


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
