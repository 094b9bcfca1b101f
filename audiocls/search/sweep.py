"""`Sweep`: a W&B sweep configuration as a value, and `TrialResult`: the result of one proposal.

The forms follow W&B's grammar (docs.wandb.ai, "Define sweep configuration"). A `Sweep` is made by
`load_sweep` alone, which has checked it; nothing here checks again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Method = Literal["grid", "random", "bayes", "custom"]
Goal = Literal["minimize", "maximize"]
Impute = Literal["worst", "best", "latest"]
Distribution = Literal[
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform",
    "log_uniform_values",
    "inv_log_uniform",
    "inv_log_uniform_values",
    "q_log_uniform",
    "q_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
]


OWN_KEYS = ("code", "blocks")
"""Keys of a sweep's file that W&B does not know."""


def for_wandb(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sweep's document without the keys that W&B does not know."""
    return {name: value for name, value in document.items() if name not in OWN_KEYS}


@dataclass(frozen=True)
class Constant:
    """The same value in every trial."""

    value: Any


@dataclass(frozen=True)
class Categorical:
    """One of `values`, equally likely unless probabilities are given."""

    values: tuple[Any, ...]
    probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Numeric:
    """A number drawn from a distribution; fields that the distribution does not use are None.

    `log_uniform` and its kin take natural exponents as `min` and `max`, those ending in `_values`
    the values themselves.
    """

    distribution: Distribution
    min: float | int | None = None
    max: float | int | None = None
    mu: float | None = None
    sigma: float | None = None
    a: float | None = None
    b: float | None = None
    q: float | None = None


@dataclass(frozen=True)
class Nested:
    """A mapping of parameters under one name."""

    parameters: "Mapping[str, Parameter]"


Parameter = Constant | Categorical | Numeric | Nested


@dataclass(frozen=True)
class Metric:
    """The objective, and the value of trials without one."""

    name: str
    goal: Goal = "minimize"
    target: float | None = None
    """A trial that reaches it ends the sweep."""
    impute: Impute = "worst"
    impute_while_running: Impute | Literal["false"] = "false"


@dataclass(frozen=True)
class Hyperband:
    """Early stopping of poor trials at bands; see `hyperband.to_stop`."""

    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3.0
    is_strict: bool = True


@dataclass(frozen=True)
class Sweep:
    """A checked sweep configuration."""

    method: Method
    parameters: Mapping[str, Parameter]
    metric: Metric | None = None
    early_terminate: Hyperband | None = None
    run_cap: int | None = None
    name: str = ""
    description: str = ""
    entity: str = ""
    project: str = ""
    program: str = ""
    command: tuple[str, ...] = ()
    """As written, macros and all; empty means W&B's default command."""
    code: tuple[str, ...] = ()
    """Patterns of the files that decide what its program computes; not a key of W&B's."""
    blocks: Mapping[str, str] = field(default_factory=dict)
    """`seed` and `fold` → the dotted name of the parameter that holds it, for those that repeat a
    setting and are not searched; not a key of W&B's."""


State = Literal["running", "finished", "failed", "stopped"]
"""`stopped`: ended early by a stop rule."""


@dataclass(frozen=True)
class TrialResult:
    """One proposal and its result so far."""

    parameters: Mapping[str, Any]
    """As proposed: names to values, nested ones as nested mappings."""
    state: State
    history: tuple[float, ...] = field(default=())
    """Values of the sweep's metric in the order in which they were logged."""
    value: float | None = None
    """The metric's value in the run's summary."""
