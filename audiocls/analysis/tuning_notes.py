"""What a reader must know of arms that were tuned before they were compared."""

from collections.abc import Iterator, Mapping, Sequence

from audiocls.analysis.pairing import Pairs
from audiocls.formatting import format_values
from audiocls.store.record import Study
from audiocls.store.tuning import Choice


def unequal_tuning(study: Study, pairs: Pairs) -> str:
    """Why the arm's tuning forbids comparing it with its reference, or an empty text."""
    if study.tuning is None:
        return ""
    own, other = study.tuning.of(pairs.arm), study.tuning.of(pairs.reference)
    failed = [each for side in (own, other) for each in side.values() if each.values is None]
    if failed:
        folds = _folds([each.fold for each in failed if each.arm == failed[0].arm])
        return f"{failed[0].arm} could not be tuned for {folds}: {failed[0].reason}"
    odd = [fold for fold in own if _num_finished(own, fold) != _num_finished(other, fold)]
    if not odd:
        return ""
    counts = f"{_num_finished(own, odd[0])}, {pairs.reference} {_num_finished(other, odd[0])}"
    return f"tuned in another number of trials for {_folds(odd)}: {counts}"


def _num_finished(choices: Mapping[int, Choice], fold: int) -> int:
    return choices[fold].num_finished if fold in choices else 0


def tuning_notes(study: Study) -> Iterator[str]:
    """By which rule the arms were tuned, and what each of them chose."""
    if study.tuning is None:
        return
    yield (
        f"Each arm was tuned with {study.tuning.num_trials} trials a fold, the same candidates for "
        f"every arm, by {study.tuning.metric} of validation clips and with a seed of their own "
        f"({study.tuning.seed}); test clips of a fold had no part in what was chosen for it."
    )
    if len({choice.fold for choice in study.tuning.choices}) == 1:
        yield "All seeds share one choice an arm: its luck is in every pair, and in no interval."
    chosen = [f"{arm} {told}" for arm in study.arms if (told := _told(study.tuning.of(arm)))]
    if chosen:
        yield f"Chosen: {'; '.join(chosen)}."


def _told(choices: Mapping[int, Choice]) -> str:
    """Values with the folds they were chosen for, which go without saying where all agree.

    >>> _told({n: Choice("a", n, 4, 1, {"optim.lr": lr}) for n, lr in [(1, 0.1), (2, 0.2)]})
    'lr=0.1 (fold 1), lr=0.2 (fold 2)'
    """
    folds: dict[str, list[int]] = {}
    for fold, choice in sorted(choices.items()):
        if choice.values is not None:
            folds.setdefault(format_values(choice.values), []).append(fold)
    if [len(choices)] == [len(of) for of in folds.values()]:
        return next(iter(folds))
    return ", ".join(f"{values} ({_folds(of)})" for values, of in folds.items())


def _folds(folds: Sequence[int]) -> str:
    return f"fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}"
