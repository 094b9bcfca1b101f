"""From the mapping in a file to an `Ablation`, or to every fault of it at once."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from audiocls.errors import ConfigError
from audiocls.faults import faults_of
from audiocls.plan.ablation import Ablation
from audiocls.plan.feasible import faults_of_design
from audiocls.plan.refusal import faults_of_keys

PLACEHOLDERS = {"name": "x", "question": "?", "recipe": "x"}
"""What must be there before the rest of a file can be looked at."""
ENTANGLED = {
    "arms",
    "exclude",
    "factors",
    "metric",
    "overrides",
    "secondary",
    "tune",
    "when",
    "zip",
}
"""Keys without which nothing can be said about the others."""


def load_ablation(given: Mapping[str, Any], where: str) -> Ablation:
    """The ablation that `given` spells; `where` names the file in the error."""
    try:
        ablation = Ablation.model_validate(given)
    except ValidationError as error:
        raise ConfigError(
            where, [*faults_of(error, Ablation, given), *_rest(error, given)]
        ) from error
    faults = list(faults_of_keys(ablation))
    if not faults and ablation.factors:
        faults = faults_of_design(ablation)
    if faults:
        raise ConfigError(where, faults)
    return ablation


def _rest(error: ValidationError, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with a file beyond its misshapen keys, as far as these leave it to be seen."""
    misshapen = {fault["loc"][0] for fault in error.errors() if fault["loc"]}
    if misshapen & ENTANGLED:
        return []
    kept = {key: value for key, value in given.items() if key not in misshapen}
    return list(faults_of_keys(Ablation.model_validate({**PLACEHOLDERS, **kept})))
