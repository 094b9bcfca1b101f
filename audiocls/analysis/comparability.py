"""What forbids comparing an arm with its reference, in words that say what differs and where."""

from collections.abc import Callable, Sequence

from audiocls.analysis.compute import unequal_compute
from audiocls.analysis.inert_arms import inert
from audiocls.analysis.pairing import Pairs
from audiocls.analysis.tuning_notes import unequal_tuning
from audiocls.dotted import flatten
from audiocls.formatting import join_names
from audiocls.store.record import Record, Study
from audiocls.store.same_numbers import canonical_code

UNKNOWN = "not recorded"
Part = Callable[[Record], str]
# Not Python's version, which decides no number, and not the threads: a worker has one.
AGREEING: dict[str, Part] = {
    "code": lambda record: canonical_code(record.provenance.code),
    "torch": lambda record: record.provenance.torch,
    "device": lambda record: record.provenance.device,
    "data": lambda record: record.provenance.data,
    "test clips": lambda record: record.test_clips,
}
"""What must be the same on both sides of a pair; empty where nobody recorded it."""
MAX_NAMED = 3


def incomparability(study: Study, pairs: Pairs) -> str:
    """Why this arm may not be compared, or an empty text."""
    found = (
        unequal_tuning(study, pairs),
        _missing_pairs(study, pairs),
        *(_differing(name, pairs, part) for name, part in AGREEING.items()),
        _other_protocol(study, pairs),
        unequal_compute(pairs, study.match),
        _stopped_early(pairs),
        inert(pairs),
    )
    return "; ".join(filter(None, found))


def _missing_pairs(study: Study, pairs: Pairs) -> str:
    absent = pairs.absent
    if not pairs.num_planned:
        return "no trial of this arm was planned"
    if len(absent) <= study.max_missing:
        return ""
    return (
        f"{len(absent)} of {pairs.num_planned} pairs missing ({study.max_missing} allowed): "
        f"{join_names(absent, MAX_NAMED, before_rest=', ')}"
    )


def _differing(name: str, pairs: Pairs, part: Part) -> str:
    sides = [(part(pair.arm), part(pair.reference)) for pair in pairs.found]
    return _different(name, pairs, [(arm, other) for arm, other in sides if arm != other])


def _different(what: str, pairs: Pairs, odd: Sequence[tuple[str, str]]) -> str:
    if not odd:
        return ""
    arm, other = (value or UNKNOWN for value in odd[0])
    return f"different {what} in {pairs.share(len(odd))}: {arm}, {pairs.reference} {other}"


def _other_protocol(study: Study, pairs: Pairs) -> str:
    """Another way to choose what is tested is refused, unless it is what the arm is about."""
    asked = changed_keys(study, pairs)
    odd = [
        (_undeclared(pair.arm, asked), _undeclared(pair.reference, asked)) for pair in pairs.found
    ]
    return _different("protocol", pairs, [(arm, other) for arm, other in odd if arm != other])


def protocol_of(record: Record) -> str:
    """How the record's weights were chosen, as `key=value` words."""
    return record.provenance.protocol


def _undeclared(record: Record, asked: set[str]) -> str:
    words = protocol_of(record).split()
    return " ".join(word for word in words if word.partition("=")[0] not in asked)


def changed_keys(study: Study, pairs: Pairs) -> set[str]:
    """Dotted keys in which the arm is to differ from its reference."""
    arm, other = (flatten(study.arms[name]) for name in (pairs.arm, pairs.reference))
    absent = object()
    return {key for key in arm | other if arm.get(key, absent) != other.get(key, absent)}


def _stopped_early(pairs: Pairs) -> str:
    odd = sum(pair.arm.early_stopped or pair.reference.early_stopped for pair in pairs.found)
    return f"stopped early in {pairs.share(odd)}" if odd else ""
