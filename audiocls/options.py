"""`Options`: one frozen, strict piece of a configuration.

Every model, feature, data set, optimiser and schedule declares its options as a `Options` beside
its code, and joins the union of its package; the union is the registry. A `Options` knows neither
torch nor the disk: reading a configuration costs milliseconds, `build` imports what it builds.
"""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of one thing: immutable, every default written down, no unknown key accepted.

    Not for results or for run-time state: a `Options` is hashed into the trial's id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def changed(self) -> set[str]:
        """Fields that differ from their defaults: what a refusal of idle options looks at.

        Not `model_fields_set`: a resolved configuration read back has every field set.
        """
        fields = type(self).model_fields.items()
        return {name for name, field in fields if getattr(self, name) != field.get_default()}
