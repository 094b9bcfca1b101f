"""The grammar of `ablations/*.yaml`: one question a file."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from audiocls.part import Part
from audiocls.plan.tuning import Searched, faults_of_tuning

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Changes = dict[str, Any]
Levels = Annotated[list[Any], Field(min_length=1)]


class Blocks(Part):
    """The repeats over which arms are paired."""

    seed: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=1)
    fold: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1,), min_length=1)

    @model_validator(mode="after")
    def _each_block_once(self) -> "Blocks":
        for name, values in (("seed", self.seed), ("fold", self.fold)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} lists a value twice: {list(values)}")
        return self


class Metric(Part):
    """What decides: a metric of the record, on the test clips."""

    name: str = "test/accuracy"
    goal: Literal["maximize", "minimize"] = "maximize"


class Stats(Part):
    """How a verdict is reached."""

    alpha: float = Field(default=0.05, gt=0.0, lt=1.0)
    correction: Literal["holm"] = "holm"
    margin: float = Field(default=0.01, gt=0.0)
    """Differences below this, in units of the metric, count as none (equivalence)."""
    max_missing: int = Field(default=0, ge=0)
    """Pairs that a comparison may lack before it is not comparable."""


class Budget(Part):
    """What must be equal for arms to be comparable, and what none may exceed."""

    match: Literal["epochs", "steps", "samples", "macs"] = "epochs"
    max_params: int | None = Field(default=None, ge=1)
    """An arm with more parameters is refused before its first step; so with `max_macs`."""
    max_macs: int | None = Field(default=None, ge=1)
    trial_seconds: float | None = Field(default=None, gt=0.0)
    """Seconds of one trial as the file stands, measured on one core: for `plan`'s estimate."""


class Ablation(Part):
    """A question, a base recipe, what changes, the repeats, and the rule that decides."""

    name: Name
    question: str = Field(min_length=1)
    source: str = ""
    """Who asked it, and what they answered."""
    recipe: str
    overrides: Changes = Field(default={})
    """Dotted keys changed in every arm, the baseline too."""
    factors: dict[str, Levels] = Field(default={})
    """Dotted key → the levels to try."""
    arms: dict[Name, Changes] = Field(default={})
    """Instead of factors: named arms, the first of them the baseline."""
    design: Literal["ofat", "factorial"] = "ofat"
    """`ofat`: the recipe, and each level of each factor alone against it.
    `factorial`: every combination; the first level of each factor makes the baseline."""
    blocks: Blocks = Blocks()
    metric: Metric = Metric()
    stats: Stats = Stats()
    budget: Budget = Budget()
    tune: dict[str, Searched] = Field(default={})
    """Dotted key → values, or a distribution as in a sweep's parameters: what each arm chooses for
    itself on validation clips, before the arms are compared."""
    tune_trials: int | None = Field(default=None, ge=2)
    """Trials in which an arm makes that choice for a fold; as many for every arm."""

    @model_validator(mode="after")
    def _factors_or_arms(self) -> "Ablation":
        if bool(self.factors) == bool(self.arms):
            raise ValueError("give either `factors` or `arms`, one of them and not both")
        if self.arms and len(self.arms) < 2:
            raise ValueError("`arms` needs at least two: the first is the baseline")
        if self.arms and "design" in self.model_fields_set:
            raise ValueError("`design` has no effect on named arms: leave it out")
        for key in {"seed", "fold"} & {k for c in self._all_changes() for k in c}:
            raise ValueError(f"{key} is a block, not a factor: list its values under `blocks`")
        return self

    @model_validator(mode="after")
    def _tuned_alike(self) -> "Ablation":
        varied = {key for each in (self.factors, *self.arms.values()) for key in each}
        faults = faults_of_tuning(self.tune, self.tune_trials, varied, self.overrides)
        if text := "; ".join(faults):
            raise ValueError(text)
        return self

    def base(self) -> Changes:
        """What every arm has above the recipe: the overrides and the limits of the budget."""
        limits = {"max_params": self.budget.max_params, "max_macs": self.budget.max_macs}
        known = {f"budget.{key}": value for key, value in limits.items() if value is not None}
        return {**self.overrides, **known}

    def _all_changes(self) -> list[Changes]:
        return [self.overrides, self.factors, *self.arms.values()]
