"""Arms that ended alike to the last bit: what sets them apart had no effect on training."""

from collections.abc import Iterator, Sequence

from audiocls.analysis.pairing import Pairs
from audiocls.store.record import Record

Outcome = tuple[object, ...]


def inert(pairs: Pairs) -> str:
    """A text if the arm ended like its reference: a difference of 0 that tells of nothing."""
    if not pairs.found or not _are_identical(pairs):
        return ""
    return (
        f"identical to {pairs.reference} in all {len(pairs.found)} pairs, first losses and test "
        "metrics to the last bit: what it changes had no effect (an inert factor?)"
    )


def identical_arms(every: Sequence[Pairs]) -> Iterator[str]:
    """A sentence for each arm that ended like another one that it is not compared with."""
    first: dict[Outcome, str] = {}
    for pairs in every:
        ended = tuple((pair.seed, pair.fold, _outcome(pair.arm)) for pair in pairs.found)
        if not ended or any(outcome is None for *_, outcome in ended) or _are_identical(pairs):
            continue
        twin = first.setdefault(ended, pairs.arm)
        if twin not in (pairs.arm, pairs.reference):
            yield (
                f"{pairs.arm} and {twin} are identical in all {len(ended)} blocks, first losses "
                "and test metrics to the last bit: what sets them apart had no effect."
            )


def _are_identical(pairs: Pairs) -> bool:
    return all(
        (outcome := _outcome(pair.arm)) is not None and outcome == _outcome(pair.reference)
        for pair in pairs.found
    )


def _outcome(record: Record) -> Outcome | None:
    """First losses and test metrics, if both are known.

    Losses alone would blame what acts late, such as averages of weights; metrics alone would
    blame what saturates.
    """
    tested = sorted(item for item in record.metrics.items() if item[0].startswith("test/"))
    return (record.first_losses, *tested) if record.first_losses and tested else None
