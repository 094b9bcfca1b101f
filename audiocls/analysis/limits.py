"""Notes on studies for which the error rates of the rule were not checked, or do not hold.

What was checked, and how: docs/decisions/0004-two-units.md.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from audiocls.analysis.influences import JACKKNIFED, SINGLE_LABEL
from audiocls.analysis.pairing import RecordGrid, first_of
from audiocls.analysis.results import ArmResult
from audiocls.analysis.scope import num_all_folds

FEWEST_RECORDINGS = 20
LARGEST_RATIO_OF_FOLDS = 2.0
"""Of the test clips of the largest fold to those of the smallest."""
LARGEST_RATIO_OF_VARIANCES = 9.0
FEWEST_PAIRS = 5
"""From which on the variances of arms are compared: fewer differ so much by chance."""
MOST_GROWING_ARMS = 3
FEWEST_GROWING_FOLDS = 4
FEWEST_SKEWED = 8
"""Pairs from which on their skewness tells anything."""
LARGEST_SKEWNESS = 2.5
"""In standard deviations of that of normal samples."""


def limits(grid: RecordGrid, arms: Sequence[ArmResult]) -> list[str]:
    """Return a note for each way in which the study departs from what was checked.

    `arms` are those that were measured.
    """
    return [
        *_without_recordings(grid, arms),
        *_some_folds(grid),
        *_tuned_with_one_seed(grid),
        *_unlike_folds(grid),
        *_unknown_sizes(grid),
        *_allowed_to_miss(grid),
        *_few_recordings(arms),
        *_several_labels(grid),
        *_unlike_arms(arms),
        *_shared_seeds(grid),
        *_many_growing_arms(grid),
        *_few_growing_folds(grid),
        *_skewed_on_one_fold(grid, arms),
    ]


def _without_recordings(grid: RecordGrid, arms: Sequence[ArmResult]) -> Iterator[str]:
    """Yield by what arms are judged whose predictions are missing, as those of imported runs."""
    unknown = {arm.arm: arm.without_recordings for arm in arms if arm.without_recordings}
    if not unknown:
        return
    whose = "" if len(unknown) == len(arms) else f" for {first_of(list(unknown))}"
    reasons = "; ".join(sorted({*unknown.values()}))
    units = "folds" if len(grid.study.folds) > 1 else "seeds"
    yield (
        f"Recordings are not taken into account{whose} ({reasons}): {units} alone decide, which "
        "tells less than recordings would."
    )


def _some_folds(grid: RecordGrid) -> Iterator[str]:
    num, num_all = len(grid.study.folds), num_all_folds(grid)
    if 1 < num < (num_all or 0):
        yield (
            f"{num} of {num_all} folds were used. A claim has to hold over folds: the fewer "
            "there are, the larger an effect must be. The other folds are worth more than more "
            "seeds."
        )


def _tuned_with_one_seed(grid: RecordGrid) -> Iterator[str]:
    study = grid.study
    tuned = {choice.fold for choice in study.tuning.choices} if study.tuning else set()
    if len(study.seeds) == 1 and len(tuned) > 1:
        yield (
            "One seed, and settings tuned for each fold: luck with either is seen only in how far "
            "folds differ."
        )


def _unlike_folds(grid: RecordGrid) -> Iterator[str]:
    sizes = {r.fold: r.num_test for r in grid.records.values() if r.num_test}
    if sizes and max(sizes.values()) > LARGEST_RATIO_OF_FOLDS * min(sizes.values()):
        yield (
            f"Folds have {min(sizes.values())} to {max(sizes.values())} test clips and count alike "
            "in the mean: error rates were checked for folds of about one size."
        )


def _unknown_sizes(grid: RecordGrid) -> Iterator[str]:
    records, num_folds = grid.records.values(), len(grid.study.folds)
    if num_folds > 1 and records and not any(r.num_test and r.num_train for r in records):
        yield (
            f"Numbers of clips were not recorded: {num_folds} folds are taken to be tested once "
            f"each, with {grid.ratio:.3g} test clips to a training clip."
        )


def _allowed_to_miss(grid: RecordGrid) -> Iterator[str]:
    if any(
        p.complete and 0 < len(p.missing) <= grid.study.max_missing for p in grid.pairs.values()
    ):
        yield (
            "Missing pairs were allowed (max_missing). If those trials failed because they went "
            "badly, the arm looks better than it is, and false claims exceed α."
        )


def _few_recordings(arms: Sequence[ArmResult]) -> Iterator[str]:
    numbers = [arm.components.num_recordings for arm in arms if arm.components]
    known = [number for number in numbers if number]
    if known and min(known) < FEWEST_RECORDINGS:
        yield (
            f"Only {min(known)} recordings were tested in all, too few to tell how others would "
            f"differ: error rates were checked from {FEWEST_RECORDINGS} on."
        )


def _several_labels(grid: RecordGrid) -> Iterator[str]:
    names = {name for record in grid.records.values() for name in record.metrics}
    if names & {*JACKKNIFED} and not names & {*SINGLE_LABEL}:
        yield (
            "Clips have several labels: the rule is the same, but its error rates were checked for "
            "clips of one label alone."
        )


def _unlike_arms(arms: Sequence[ArmResult]) -> Iterator[str]:
    """Yield which arms vary far more than the others; those of two are compared with each other."""
    known = [arm for arm in arms if len(arm.differences) >= FEWEST_PAIRS]
    variances = np.array([np.var([d for *_, d in arm.differences], ddof=1) for arm in known])
    for place, (arm, var) in enumerate(zip(known, variances, strict=True)):
        usual = np.median(np.delete(variances, place)) if len(known) > 1 else 0.0
        if usual and var > LARGEST_RATIO_OF_VARIANCES * usual:
            yield (
                f"{arm.arm}: its pairs vary {(var / usual) ** 0.5:.2g} times as much (sd) as those "
                "of the other arms. Error rates were not checked for arms so unlike."
            )


def _shared_seeds(grid: RecordGrid) -> Iterator[str]:
    """Yield what another program may do with a seed: trials of audiocls seed each fold apart."""
    records = grid.records.values()
    is_foreign = bool(records) and not any(record.provenance.data for record in records)
    if is_foreign and len(grid.study.folds) > 1:
        yield (
            "The trials are another program's. If it uses a seed alike on every fold, luck with "
            "the seed is shared by all folds, and no error takes it into account."
        )


def _many_growing_arms(grid: RecordGrid) -> Iterator[str]:
    if grid.study.looks and len(grid.compared) > MOST_GROWING_ARMS:
        yield (
            f"{len(grid.compared)} arms grow until they are decided: error rates were checked for "
            f"up to {MOST_GROWING_ARMS}."
        )


def _few_growing_folds(grid: RecordGrid) -> Iterator[str]:
    num = len(grid.study.folds)
    if grid.study.looks and 1 < num < FEWEST_GROWING_FOLDS:
        yield (
            f"The study grows on {num} folds: where arms are lucky with whole folds, up to 7 % of "
            "such studies claim an effect that is not there."
        )


def _skewed_on_one_fold(grid: RecordGrid, arms: Sequence[ArmResult]) -> Iterator[str]:
    """Yield which arms have skewed pairs: alike arms do not, however skewed their trainings are."""
    known = [arm for arm in arms if len(arm.differences) >= FEWEST_SKEWED]
    for arm in known if len(grid.study.folds) == 1 else ():
        skewness = _skewness([difference for *_, difference in arm.differences])
        if abs(skewness) > LARGEST_SKEWNESS:
            yield (
                f"{arm.arm}: its pairs are skewed, since a few of them lie far "
                f"{'above' if skewness > 0 else 'below'} the others. On one fold, 6 to 9 % of such "
                "studies claim an effect that is not there; over several folds 5 % holds."
            )


def _skewness(values: Sequence[float]) -> float:
    """Return the skewness in standard deviations of that of normal samples; 0 without spread.

    R. A. Fisher, Proc. Royal Society A 130, 1930.
    """
    num, away = len(values), np.asarray(values) - np.mean(values)
    spread = float(np.mean(away**2))
    if not spread:
        return 0.0
    deviation = (6 * (num - 2) / ((num + 1) * (num + 3))) ** 0.5
    return float(np.mean(away**3) / spread**1.5 / deviation)
