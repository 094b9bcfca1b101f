"""Notes beside the numbers: how the study was tuned, and what its comparisons leave open."""

from collections.abc import Iterator, Mapping, Sequence

from audiocls.analysis.comparability import (
    AGREEING,
    ComputeRatio,
    Part,
    changed_keys,
    fold_names,
    is_inert,
    outcome_of,
    protocol_of,
    spent_on,
    total,
)
from audiocls.analysis.pairing import Pair, Pairs
from audiocls.formatting import format_values, join_names, plural
from audiocls.store.record import Record, Study
from audiocls.store.tuning import Choice, Tuning

IN_PARTS = "out of memory: batches were computed in"
"""How a record's note on split batches begins (`training/micro_batches.py`)."""


def caveats(study: Study, every: Sequence[Pairs]) -> list[str]:
    """Return notes on tuning, missing pairs, extra compute, the choice of the tested weights,
    identical arms, batches in parts, and checks that could not be made.
    """
    return [
        *(_tuning(study, study.tuning) if study.tuning else ()),
        *_missing_pairs(study, every),
        *_more_clips(every, study.match),
        *_more_passes(every, study.match),
        *_chosen_otherwise(study, every),
        *_identical_arms(every),
        *_in_parts(every),
        *_unchecked(every, study.match),
    ]


def _tuning(study: Study, tuning: Tuning) -> Iterator[str]:
    """Yield by which rule the arms were tuned, and what each of them chose."""
    yield (
        f"Each arm was tuned with {tuning.num_trials} trials a fold, the same candidates for "
        f"every arm, by {tuning.metric} of validation clips and with a seed of their own "
        f"({tuning.seed}); test clips of a fold had no part in what was chosen for it."
    )
    if len({choice.fold for choice in tuning.choices}) == 1:
        yield "All seeds share one choice an arm: its luck is in every pair, and in no interval."
    chosen = [f"{arm} {values}" for arm in study.arms if (values := _values(tuning.of(arm)))]
    if chosen:
        yield f"Chosen: {'; '.join(chosen)}."


def _values(choices: Mapping[int, Choice]) -> str:
    """Return what was chosen, with the folds it was chosen for unless all agree.

    >>> _values({n: Choice("a", n, 4, 1, {"optim.lr": lr}) for n, lr in [(1, 0.1), (2, 0.2)]})
    'lr=0.1 (fold 1), lr=0.2 (fold 2)'
    """
    folds: dict[str, list[int]] = {}
    for fold, choice in sorted(choices.items()):
        if choice.values is not None:
            folds.setdefault(format_values(choice.values), []).append(fold)
    if [len(choices)] == [len(of) for of in folds.values()]:
        return next(iter(folds))
    return ", ".join(f"{values} ({fold_names(of)})" for values, of in folds.items())


def _missing_pairs(study: Study, every: Sequence[Pairs]) -> Iterator[str]:
    """Yield what an arm was allowed to lack; beyond that it is not compared, for that reason."""
    for pairs in every:
        if pairs.complete and 0 < len(pairs.missing) <= study.max_missing:
            yield (
                f"{pairs.arm}: {len(pairs.complete)} of {pairs.num_planned} pairs, its mean too is "
                f"over these; missing: {', '.join(pairs.missing)}."
            )


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
        f"{_references(every)}, {', '.join(odd)} as many clips were trained on in all. With "
        "budget.match: samples they would not be comparable."
    ]


def _num_clips(pairs: Pairs) -> ComputeRatio:
    return total(
        spent_on(pair, "samples")
        for pair in pairs.complete
        if pair.arm.num_train == pair.reference.num_train
        and spent_on(pair, "epochs").is_equal()
        and (_has_stage(pair.arm) or _has_stage(pair.reference))
    )


def _has_stage(record: Record) -> bool:
    """Whether a trial was pre-trained: its record then has the stage's metrics."""
    return any(name.startswith("pretrain/") for name in record.metrics)


def _more_passes(every: Sequence[Pairs], match: str) -> list[str]:
    """Return a note on several gradients a step (SAM); a model's own size is in the table."""
    if match in ("macs", "seconds", "none"):
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


def _chosen_otherwise(study: Study, every: Sequence[Pairs]) -> Iterator[str]:
    """Yield which arms are about the choice of the tested weights: their numbers depend on it."""
    for pairs in every:
        declared = changed_keys(study, pairs)
        for arm, other in dict.fromkeys(map(_protocols, pairs.complete)):
            changed = set(arm.split()) - set(other.split())
            odd = sorted(word for word in changed if word.partition("=")[0] in declared)
            if odd:
                yield (
                    f"{pairs.arm} selects the tested checkpoint by another rule than "
                    f"{pairs.reference}, as its changes say: {', '.join(odd)}."
                )


def _protocols(pair: Pair) -> tuple[str, str]:
    return protocol_of(pair.arm), protocol_of(pair.reference)


def _identical_arms(every: Sequence[Pairs]) -> Iterator[str]:
    """Yield a sentence for each arm that ended like another one that is not its reference."""
    first: dict[tuple[object, ...], str] = {}
    for pairs in every:
        ends = tuple((pair.seed, pair.fold, outcome_of(pair.arm)) for pair in pairs.complete)
        if not ends or any(outcome is None for *_, outcome in ends) or is_inert(pairs):
            continue
        other = first.setdefault(ends, pairs.arm)
        if other not in (pairs.arm, pairs.reference):
            yield (
                f"{pairs.arm} and {other} are identical in all {len(ends)} blocks, first losses "
                "and test metrics to the last bit: what sets them apart had no effect."
            )


def _in_parts(every: Sequence[Pairs]) -> Iterator[str]:
    """Yield which arms had batches that did not fit into memory; their baseline is an arm, too."""
    arms: dict[str, set[str]] = {}
    for pairs in every:
        for pair in pairs.complete:
            for name, record in ((pairs.arm, pair.arm), (pairs.reference, pair.reference)):
                if any(note.startswith(IN_PARTS) for note in record.notes):
                    arms.setdefault(name, set()).add(record.id)
    if arms:
        listed = join_names([f"{name} ({plural(len(ids), 'trial')})" for name, ids in arms.items()])
        yield (
            f"Out of memory, batches were computed in parts whose gradients add up to those of the "
            f"whole batch, within rounding: {listed}."
        )


def _unchecked(every: Sequence[Pairs], match: str) -> Iterator[str]:
    """Yield what should be shared but neither side recorded, so that it was not checked."""
    all_pairs = [pair for pairs in every for pair in pairs.complete]
    matched = all_pairs if match != "none" else []
    num_unknown = sum(spent_on(pair, match).is_unknown for pair in matched)
    if num_unknown:
        yield (
            f"Compute ({match}) was not recorded in {num_unknown} of {len(all_pairs)} pairs: equal "
            "compute was not checked."
        )
    parts = {**AGREEING, "protocol": protocol_of}
    blank = [n for n, part in parts.items() if any(_is_blank(pair, part) for pair in all_pairs)]
    if blank:
        yield (
            f"Not recorded for all pairs: {', '.join(blank)}. Whether arms agree in that with what "
            "they are compared with was not checked."
        )


def _is_blank(pair: Pair, part: Part) -> bool:
    return not part(pair.arm) and not part(pair.reference)
