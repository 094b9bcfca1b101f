"""From the mapping in a file to an `Ablation`, or to every fault of it at once."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from audiocls.errors import ConfigError
from audiocls.faults import faults_of
from audiocls.plan.ablation import Ablation


def load_ablation(given: Mapping[str, Any], where: str) -> Ablation:
    """The ablation that `given` spells; `where` names the file in the error."""
    try:
        return Ablation.model_validate(given)
    except ValidationError as error:
        raise ConfigError(where, faults_of(error, Ablation, given)) from error
