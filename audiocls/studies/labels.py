"""What a report calls the arms of a study, where its ablation gives words to them.

Files, ids and W&B's runs keep the names that the design makes, so that words may change at any
time: the next launch keeps the new ones, and no trial is run again.
"""

from collections.abc import Mapping
from dataclasses import replace

from audiocls.formatting import format_arm
from audiocls.store import Study


def labelled(study: Study, labels: Mapping[str, str]) -> Study:
    """Return the study with its arms called by their labels, wherever it names one.

    >>> study = Study("sam", baseline="base", arms={"base": {}, "rho=0": {}})
    >>> labelled(study, {"rho=0": "no SAM"}).arms
    {'base': {}, 'no SAM': {}}
    """
    if not labels:
        return study

    def name(arm: str) -> str:
        return labels.get(arm, arm)

    tuning = study.tuning
    if tuning is not None:
        choices = tuple(replace(choice, arm=name(choice.arm)) for choice in tuning.choices)
        tuning = replace(tuning, choices=choices)
    return replace(
        study,
        tuning=tuning,
        baseline=name(study.baseline),
        arms={name(arm): changes for arm, changes in study.arms.items()},
        cells=tuple(replace(cell, arm=name(cell.arm)) for cell in study.cells),
        references={name(arm): name(other) for arm, other in study.references.items()},
        identities={name(arm): digest for arm, digest in study.identities.items()},
        over_budget={name(arm): text for arm, text in study.over_budget.items()},
    )


def labels_of(study: Study) -> dict[str, str]:
    """Return arm → what a report calls it, where that is not the arm's own name."""
    return words_of(study) | study.labels


def words_of(study: Study) -> dict[str, str]:
    """Return arm → its name with a word for an empty list, of the arms that have one.

    >>> study = Study("mixing", baseline="mixes=", arms={"mixes=": {"augment.mixes": []}})
    >>> words_of(study)
    {'mixes=': 'mixes=none'}
    """
    empty = (arm for arm, changes in study.arms.items() if [] in changes.values())
    words = {arm: format_arm(arm) for arm in empty}
    return {arm: word for arm, word in words.items() if word not in study.arms}


def names_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return label → arm, for options that take either."""
    return {label: arm for arm, label in labels.items()}
