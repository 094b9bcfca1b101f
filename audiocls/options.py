"""`Options`: one frozen, strict section of a configuration.

Every model, feature, data set, optimiser and schedule declares its options as `Options` beside its
code, and joins the union of its package; the union is the registry. Options neither import torch
nor read files: reading a configuration takes milliseconds, `build` imports what it builds.
"""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of one thing: immutable, every default written down, no unknown key accepted.

    Not for results or for run-time state: options are hashed into the trial's id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def changed(self) -> set[str]:
        """Return the names of fields that differ from their defaults.

        Not `model_fields_set`: a resolved configuration read back has every field set.
        """
        fields = type(self).model_fields.items()
        return {name for name, field in fields if getattr(self, name) != field.get_default()}
