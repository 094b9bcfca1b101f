"""What a reader must know of the comparisons that were made, beside their numbers."""

from collections.abc import Iterator, Sequence

from audiocls.analysis.comparability import AGREEING, Part, changed_keys, protocol_of
from audiocls.analysis.compute import extra_compute, spent_on
from audiocls.analysis.inert_arms import identical_arms
from audiocls.analysis.pairing import Pair, Pairs
from audiocls.analysis.tuning_notes import tuning_notes
from audiocls.store.record import Study


def caveats(study: Study, every: Sequence[Pairs]) -> list[str]:
    """Pairs that lack, compute beyond what is matched, arms alike, and what went unchecked."""
    return [
        *tuning_notes(study),
        *_missing_pairs(study, every),
        *extra_compute(every, study.match),
        *_chosen_otherwise(study, every),
        *identical_arms(every),
        *_unchecked(every, study.match),
    ]


def _missing_pairs(study: Study, every: Sequence[Pairs]) -> Iterator[str]:
    """What an arm was allowed to lack; beyond that it is not compared, and its reason says why."""
    for pairs in every:
        if pairs.found and 0 < len(pairs.absent) <= study.max_missing:
            yield (
                f"{pairs.arm}: {len(pairs.found)} of {pairs.num_planned} pairs, its mean too is "
                f"over these; missing: {', '.join(pairs.absent)}."
            )


def _chosen_otherwise(study: Study, every: Sequence[Pairs]) -> Iterator[str]:
    """An arm may be about the choice of what is tested; whoever reads its number has to know."""
    for pairs in every:
        asked = changed_keys(study, pairs)
        for arm, other in dict.fromkeys(map(_protocols, pairs.found)):
            changed = set(arm.split()) - set(other.split())
            odd = sorted(word for word in changed if word.partition("=")[0] in asked)
            if odd:
                yield (
                    f"{pairs.arm} chooses what is tested otherwise than {pairs.reference}, as its "
                    f"changes say: {', '.join(odd)}."
                )


def _protocols(pair: Pair) -> tuple[str, str]:
    return protocol_of(pair.arm), protocol_of(pair.reference)


def _unchecked(every: Sequence[Pairs], match: str) -> Iterator[str]:
    """What should be shared but neither side recorded, so that nobody checked it."""
    found = [pair for pairs in every for pair in pairs.found]
    without = sum(spent_on(pair, match).is_unknown for pair in found)
    if without:
        yield (
            f"Compute ({match}) was not recorded in {without} of {len(found)} pairs: equal compute "
            "was not checked."
        )
    parts = {**AGREEING, "protocol": protocol_of}
    blank = [name for name, part in parts.items() if any(_is_blank(pair, part) for pair in found)]
    if blank:
        yield (
            f"Not recorded for all pairs: {', '.join(blank)}. Whether arms agree in that with what "
            "they are compared with was not checked."
        )


def _is_blank(pair: Pair, part: Part) -> bool:
    return not part(pair.arm) and not part(pair.reference)
