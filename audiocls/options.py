"""`Options`: one frozen, strict section of a configuration.

Every model, feature, data set, optimiser and schedule declares its options as an `Options` beside
its code, and joins the union of its package; the union is the registry. An `Options` knows neither
torch nor the disk: reading a configuration costs milliseconds, `build` imports what it builds.
"""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def added(default: Any, **constraints: Any) -> Any:
    """Declare an option that is younger than the ids of trials: its default is in no id.

    Trials of configurations that were written before it keep their ids, and stored ones that lack
    it mean the default. So the default may never change, and must compute what was computed before.
    """
    return Field(default=default, exclude_if=lambda value: bool(value == default), **constraints)


class Options(BaseModel):
    """Options of one thing: immutable, every default written down, no unknown key accepted.

    Not for results or for run-time state: an `Options` is hashed into the trial's id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def changed(self) -> set[str]:
        """Return the fields that differ from their defaults, for the check of unused options.

        `model_fields_set` would not do: a resolved configuration that was read back sets them all.
        """
        defaults = _defaults(type(self)).items()
        return {name for name, default in defaults if getattr(self, name) != default}


@cache
def _defaults(kind: type[Options]) -> dict[str, Any]:
    """Return field → default, which pydantic copies anew each time that it is asked."""
    return {name: field.get_default() for name, field in kind.model_fields.items()}
