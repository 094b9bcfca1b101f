"""The schema of `ablations/*.yaml`: one question in each file."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from audiocls.audio.clips import FURTHER
from audiocls.design.tuning import Searched
from audiocls.errors import did_you_mean
from audiocls.options import Options

LONGEST_NAME = 200
"""Characters; a study's folder and files have the name of its ablation, and may add to it."""
MAX_BLOCKS = 10_000
MAX_CELLS = 100_000
MOST_SHOWN = 10
"""Values of a long list that an error repeats."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=LONGEST_NAME)]
ArmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Changes = dict[str, Any]
Levels = Annotated[list[Any], Field(min_length=1)]
DesignName = Literal["ofat", "leave_one_out", "both", "cumulative", "factorial", "fractional"]


class Blocks(Options):
    """The repeats over which arms are paired."""

    seed: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=1)
    fold: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1,), min_length=1)

    @model_validator(mode="after")
    def _each_block_once(self) -> "Blocks":
        for name, values in (("seed", self.seed), ("fold", self.fold)):
            if len(set(values)) < len(values):
                counts = Counter(values)
                twice = [value for value in values if counts[value] > 1][:MOST_SHOWN]
                raise ValueError(f"{name} lists a value twice: {twice}")
        if (num := len(self.seed) * len(self.fold)) > MAX_BLOCKS:
            raise ValueError(f"seeds × folds make {num:,} blocks; at most {MAX_BLOCKS:,}")
        return self


Goal = Literal["maximize", "minimize"]

GOALS: dict[str, Goal] = {
    "test/accuracy": "maximize",
    "test/balanced_accuracy": "maximize",
    "test/macro_f1": "maximize",
    "test/map": "maximize",
    "test/auroc": "maximize",
    "test/calibration_error": "minimize",
    "test/loss": "minimize",
}
"""Metric of the test clips → what is usually wanted of it."""


def on_test_clips(metric: str) -> tuple[str, str]:
    """Return the split whose clips a metric is of, and its name on the clips of `test`.

    >>> on_test_clips("test:unseen/map"), on_test_clips("test/map"), on_test_clips("val/loss")
    (('test:unseen', 'test/map'), ('test', 'test/map'), ('', 'val/loss'))
    """
    split, _, name = metric.rpartition("/")
    is_tested = split == "test" or FURTHER.fullmatch(split)
    return (split, f"test/{name}") if is_tested else ("", metric)


def _usual_goal(given: dict[str, Any]) -> Goal:
    return GOALS.get(on_test_clips(given.get("name", ""))[1], "maximize")


def _measured(name: str) -> str:
    if name not in GOALS:
        allowed = ", ".join(GOALS)
        hint = did_you_mean(name, GOALS)
        raise ValueError(f"got {name!r}; allowed, on test clips alone: {allowed}.{hint}")
    return name


def _measured_beside(name: str) -> str:
    split, on_test = on_test_clips(name)
    if split in ("", "test") or on_test not in GOALS:
        _measured(name)
    return name


Measured = Annotated[str, AfterValidator(_measured)]
MeasuredBeside = Annotated[str, AfterValidator(_measured_beside)]
"""Also a metric of further test clips, such as `test:unseen/accuracy`."""


class Metric(Options):
    """What decides: a metric of the record, on the test clips."""

    name: Measured = "test/accuracy"
    goal: Goal = Field(default_factory=_usual_goal)


class SecondaryMetric(Options):
    """What is reported beside the metric that decides."""

    name: MeasuredBeside
    goal: Goal = Field(default_factory=_usual_goal)
    margin: float | None = Field(default=None, gt=0.0)
    """As `stats.margin`, which it is if left out."""


class Stats(Options):
    """How a verdict is reached."""

    alpha: float = Field(default=0.05, gt=0.0, lt=1.0)
    correction: Literal["holm"] = "holm"
    margin: float = Field(default=0.01, gt=0.0)
    """Differences below this, in units of the metric, count as none (equivalence)."""
    max_missing: int = Field(default=0, ge=0)
    """Pairs that may be missing before a comparison is not comparable."""


class Budget(Options):
    """What must be equal for arms to be comparable, and what none may exceed."""

    match: Literal["epochs", "steps", "samples", "macs", "seconds"] = "epochs"
    max_params: int | None = Field(default=None, ge=1)
    """An arm with more parameters is refused before its first step; so with `max_macs`."""
    max_macs: int | None = Field(default=None, ge=1)
    trial_seconds: float | None = Field(default=None, gt=0.0)
    """Seconds of one trial as the file stands, measured on one core: for `plan`'s estimate."""


class Ablation(Options):
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
    arms: dict[ArmName, Changes] = Field(default={})
    """Instead of factors: named arms, the first of them the baseline."""
    design: DesignName = "ofat"
    """`ofat`: the recipe, and each level of each factor alone against it.
    `leave_one_out`: every change together, and that without each.
    `both`: the two of them.
    `cumulative`: one change on top of the other, each against those before it.
    `factorial`: every combination; the first level of each factor makes the baseline.
    `fractional`: as few combinations of two-level factors as the `resolution` allows."""
    resolution: Literal[3, 4, 5] | None = None
    """Of a fractional design: 3 keeps main effects apart from each other, 4 also from two-way
    interactions, 5 also these from each other."""
    zip: tuple[tuple[str, ...], ...] = ()
    """Groups of keys of `factors` that advance together: each group is one factor."""
    exclude: tuple[Changes, ...] = ()
    """Combinations of levels that make no arm."""
    when: dict[str, Changes] = Field(default={})
    """Key of a factor → the levels of others without which it is not varied."""
    blocks: Blocks = Blocks()
    metric: Metric = Metric()
    secondary: tuple[SecondaryMetric, ...] = ()
    stats: Stats = Stats()
    budget: Budget = Budget()
    tune: dict[str, Searched] = Field(default={})
    """Dotted key → values, or a distribution as in a sweep's parameters: what each arm chooses for
    itself on validation clips, before the arms are compared."""
    tune_trials: int | None = Field(default=None, ge=2, le=10_000)
    """Trials in which an arm makes that choice for a fold; as many for every arm."""

    @property
    def has_design(self) -> bool:
        """Whether factors make the arms, and not the file itself."""
        return bool(self.factors) and not self.arms

    def base(self) -> Changes:
        """Return what every arm sets above the recipe: the overrides and the budget's limits."""
        limits = {"max_params": self.budget.max_params, "max_macs": self.budget.max_macs}
        known = {f"budget.{key}": value for key, value in limits.items() if value is not None}
        return {**self.overrides, **known}
