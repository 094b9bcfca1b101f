"""`tune:` of an ablation: what each arm chooses for itself before the arms are compared.

With the recipe's learning rate, which suits the baseline, another arm is compared unfairly; so is
an arm that was tuned longer. Here every arm gets the same candidates, and chooses among them by
validation clips alone. Each test fold has a choice of its own, as in nested cross-validation
(Varma and Simon, BMC Bioinformatics 7, 2006): the validation clips of one fold are test clips of
another, so that a choice made once for all folds would have seen its own test clips.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from audiocls.formatting import format_values


def _something_to_search(given: Any) -> Any:
    if isinstance(given, dict) or (isinstance(given, list) and len(given) > 1):
        return given
    raise ValueError(
        f"got {given!r}; allowed: a list of two values or more, or a distribution such as "
        "{min: 16, max: 64}"
    )


Searched = Annotated[
    Annotated[list[Any], Field(min_length=2)] | dict[str, Any],
    BeforeValidator(_something_to_search),
]
"""Values to choose among, or a distribution in the grammar of a sweep's parameters."""
Candidate = dict[str, Any]
"""Dotted key → value."""

TUNING_SEED = 1000
"""Of every tuning trial, and of no trial that is compared: the luck of an initialisation that made
a candidate win is not counted a second time."""
MARK = " #"
"""Parts an arm's name from the number of its candidate."""


def candidate_name(arm: str, number: int, values: Candidate) -> str:
    """Return the name of a candidate of an arm.

    >>> candidate_name("dropout=0.1", 3, {"optim.lr": 0.00123456})
    'dropout=0.1 #3 (lr=0.00123)'
    """
    return f"{arm}{MARK}{number} ({format_values(values)})"


def arm_of(name: str) -> str:
    """Return the arm that a candidate's name begins with.

    >>> arm_of("dropout=0.1 #3 (lr=0.00123)")
    'dropout=0.1'
    """
    return name.rpartition(MARK)[0]


def arms_of_tuning(
    arms: Mapping[str, Mapping[str, Any]], candidates: Sequence[Candidate]
) -> dict[str, dict[str, Any]]:
    """Return every arm with every candidate, by name, in the order in which ties are decided."""
    return {
        candidate_name(arm, number, values): {**changes, **values}
        for arm, changes in arms.items()
        for number, values in enumerate(candidates, start=1)
    }
