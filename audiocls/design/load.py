"""From the mapping in a file to an `Ablation`, or to every fault of it at once."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from audiocls.design.ablation import Ablation
from audiocls.design.feasibility import faults_of_arms, validate_design
from audiocls.design.validation import faults_of_factors, validate_keys
from audiocls.errors import ConfigError
from audiocls.validation_errors import describe_errors

PLACEHOLDERS = {"name": "x", "question": "?", "recipe": "x"}
"""What must be there before the rest of a file can be looked at."""
INDEPENDENT = {*PLACEHOLDERS, "source", "blocks", "stats", "budget"}
"""Keys of an ablation that leave its others as they are, however misshapen they are themselves."""


def load_ablation(given: Mapping[str, Any], where: str) -> Ablation:
    """The ablation that `given` spells; `where` names the file in the error."""
    try:
        ablation = Ablation.model_validate(given)
    except ValidationError as error:
        faults = [*describe_errors(error, Ablation, given), *_rest(error, given)]
        raise ConfigError(where, faults) from error
    if faults := _faults(ablation):
        raise ConfigError(where, faults)
    return ablation


def _faults(ablation: Ablation) -> list[str]:
    """Of keys that are well shaped, each on its own: what they say together."""
    in_factors = list(faults_of_factors(ablation))
    faults = [*validate_keys(ablation), *in_factors]
    if ablation.has_design and not in_factors:
        faults += validate_design(ablation)
    if ablation.has_design and not faults:
        faults += faults_of_arms(ablation)
    return faults


def _rest(error: ValidationError, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with a file beyond its misshapen keys, as far as these leave it to be seen."""
    misshapen = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    if misshapen & (Ablation.model_fields.keys() - INDEPENDENT):
        return []
    kept = {key: value for key, value in given.items() if key not in misshapen}
    return _faults(Ablation.model_validate({**PLACEHOLDERS, **kept}))
