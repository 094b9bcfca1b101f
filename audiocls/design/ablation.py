"""The schema of `ablations/*.yaml`: one question in each file."""

import re
from collections import Counter
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from audiocls.audio.clips import FURTHER
from audiocls.design.tuning import Searched
from audiocls.options import Options
from audiocls.parts.names import IMPORT_STRING, short_name
from audiocls.parts.plugins import plugin_named

LONGEST_NAME = 200
"""Characters; a study's folder and files have the name of its ablation, and may add to it."""
MAX_BLOCKS = 10_000
MAX_CELLS = 100_000
MOST_SHOWN = 10
"""Values of a long list that an error repeats."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=LONGEST_NAME)]
ArmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Label = Annotated[str, Field(pattern=r"^[^\s,;][^,;\t\r\n]*$", max_length=80)]
Changes = dict[str, Any]
Levels = Annotated[list[Any], Field(min_length=1)]
DesignName = Literal["ofat", "leave_one_out", "both", "cumulative", "factorial", "fractional"]


class Blocks(Options):
    """The repeats over which arms are paired."""

    seed: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=1)
    """Seeds that every arm is trained with."""
    fold: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(1,), min_length=1)
    """Ours count from 1; those of a program as it counts them."""

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


MetricName = Annotated[str, Field(min_length=1)]


class Metric(Options):
    """What decides: a metric of the record, on the test clips, or any that a program reports."""

    name: MetricName = "test/accuracy"
    """A metric of the test clips, such as `test/accuracy` or `test:NAME/map`; of a program, one
    that it reports."""
    goal: Goal = Field(default_factory=_usual_goal)
    """Required where a program is run, and of a metric of your own."""
    options: dict[str, Any] = Field(default={})
    """Of a metric of your own."""

    @cached_property
    def is_own(self) -> bool:
        """Whether a function of the user's computes it: an import string's or a plugin's."""
        if on_test_clips(self.name)[1] in GOALS:
            return False
        is_named = re.fullmatch(IMPORT_STRING, self.name, re.ASCII) is not None
        return is_named or plugin_named("metrics", self.name) is not None

    @property
    def recorded(self) -> str:
        """Its name in records: `test/cmap` of `my_pkg.metrics:cmap`."""
        return f"test/{short_name(self.name)}" if self.is_own else self.name

    @property
    def own(self) -> list[Changes]:
        """What trials must be told to compute it, if it is an own metric."""
        return [{"name": self.name, **self.options}] if self.is_own else []


class SecondaryMetric(Metric):
    """What is reported beside the metric that decides."""

    name: MetricName
    """As `metric.name`."""
    margin: float | None = Field(default=None, gt=0.0)
    """As `stats.margin`, which it is if left out."""


class Stats(Options):
    """How a verdict is reached."""

    alpha: float = Field(default=0.05, gt=0.0, lt=1.0)
    """Share of studies without any effect that may claim one, over all arms together."""
    correction: Literal["holm"] = "holm"
    """Of p values, for the number of arms."""
    margin: float = Field(default=0.01, gt=0.0)
    """Differences below this, in units of the metric, count as none (equivalence). Required where a
    program is run."""
    max_missing: int = Field(default=0, ge=0)
    """Pairs that may be missing before a comparison is not comparable."""


class Budget(Options):
    """What must be equal for arms to be comparable, and what none may exceed."""

    match: Literal["epochs", "steps", "samples", "macs", "seconds", "none"] = "epochs"
    """`none`: nothing. For programs alone."""
    max_params: int | None = Field(default=None, ge=1)
    """An arm with more parameters is refused before its first step; so with `max_macs`."""
    max_macs: int | None = Field(default=None, ge=1)
    """Multiply-accumulates of one clip, from features to logits."""
    trial_seconds: float | None = Field(default=None, gt=0.0)
    """Seconds of one trial as the file stands, measured on one core, with its share of what is
    pre-trained, without features that are computed once: for `plan`'s estimate."""


class BlockKeys(Options):
    """The parameters by which a program gets its block; null for one that it has no parameter for.

    Without a list of folds in `blocks` it gets no fold.
    """

    seed: str | None = Field(default="seed", min_length=1)
    """The program's parameter for the seed."""
    fold: str | None = Field(default="fold", min_length=1)
    """The program's parameter for the test fold."""


class Ablation(Options):
    """A question, a recipe or a program, what changes, the repeats, and the rule that decides."""

    name: Name
    """Of the study's folder; letters, digits, `_` and `-`."""
    question: str = Field(min_length=1)
    """What the study asks, in a sentence; reports open with it."""
    source: str = ""
    """Who asked it, and what they answered."""
    recipe: str = ""
    """The baseline: a built-in name, or the path of a recipe's YAML file."""
    program: str = ""
    """Instead of a recipe: a script of your own, which gets `--key=value` for each parameter."""
    command: tuple[str, ...] = ()
    """Its command line, with the macros of a W&B sweep, such as `${args_append_hydra}`."""
    code: tuple[str, ...] = ()
    """Patterns of the files that decide its numbers; by default the script and what it imports from
    beside it."""
    block_keys: BlockKeys = BlockKeys()
    num_folds: int | None = Field(default=None, ge=1)
    """Of the data that a program trains on, of which `blocks` may list a part; by default as many
    as it lists. A verdict over all of them applies to the data, one over a part to these folds."""
    overrides: Changes = Field(default={})
    """Dotted keys changed in every arm, the baseline too."""
    factors: dict[str, Levels] = Field(default={})
    """Dotted key → the levels to try."""
    arms: dict[ArmName, Changes] = Field(default={})
    """Instead of factors: named arms, the first of them the baseline."""
    labels: dict[str, Label] = Field(default={})
    """Arm → what reports call it; the others keep the names that `plan` lists."""
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
    tune_metric: Metric | None = None
    """Of validation clips, by which the arms of a program choose; ours have one of their own."""

    @property
    def is_program(self) -> bool:
        """Whether a program of the user's is run, and no recipe trained."""
        return bool(self.program or self.command)

    @property
    def block_parameters(self) -> dict[str, str]:
        """`seed` and `fold` → the program's parameter for it, of those that it gets."""
        has_fold = "fold" in self.blocks.model_fields_set | self.block_keys.model_fields_set
        keys = {"seed": self.block_keys.seed, "fold": self.block_keys.fold if has_fold else None}
        return {name: key for name, key in keys.items() if key is not None}

    @property
    def has_design(self) -> bool:
        """Whether factors make the arms, and not the file itself."""
        return bool(self.factors) and not self.arms

    def judgement(self) -> dict[str, Any]:
        """Return how a study is judged and its arms are called: no trial depends on these."""
        rule = self.stats.model_dump()
        return {**rule, "match": self.budget.match, "labels": self.labels}

    def base(self) -> Changes:
        """Return what every arm sets above the recipe: overrides, limits, and own metrics."""
        limits = {"max_params": self.budget.max_params, "max_macs": self.budget.max_macs}
        known = {f"budget.{key}": value for key, value in limits.items() if value is not None}
        metrics = [each for metric in (self.metric, *self.secondary) for each in metric.own]
        return {**self.overrides, **known, **({"train.metrics": metrics} if metrics else {})}
