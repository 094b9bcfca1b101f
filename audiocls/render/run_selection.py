"""`RunSelection` and `PairsRun`: what a document shows of W&B's runs, for the one format that can.

The keys are those that a trial logs to W&B (`execution/trial.py`): `arm` and `trial` in its config
beside its resolved configuration, metrics and `cost/…` in its summary, epochs in its history.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from audiocls.tracking.wandb.report_run import AnswerRun

TRIAL = "trial"


@dataclass(frozen=True)
class Condition:
    """Which runs to show, by W&B's own name of what is known of a run."""

    section: Literal["run", "config"]
    name: str
    op: Literal["=", "IN"]
    value: str | tuple[str, ...]


Conditions = tuple[Condition, ...]
"""All of them hold."""


@dataclass(frozen=True)
class RunSelection:
    """What there is to show; a search is one whose runs no `arm` groups: see `search_runs`."""

    study: str
    group: str
    """The group that our runs lie in; empty for runs of another program."""
    metric: str
    arm: str
    """The config key that groups runs; empty where each run stands for itself."""
    block: tuple[str, ...]
    """The config keys that tell the runs of an arm apart."""
    varied: tuple[str, ...]
    """Dotted config keys that differ between runs."""
    curves: tuple[str, ...]
    """Keys of the history, the validation side of the metric first."""
    costs: tuple[str, ...]
    """Fields of `Cost` that were recorded."""
    trials: tuple[str, ...]
    """Ids of the finished trials, in the study's order; none for runs of another program."""
    num_runs: int
    run_ids: tuple[str, ...] = ()
    """Their W&B runs, where another program logged them and says nothing of trials."""
    axis: str = "epoch"
    """What curves are drawn over."""

    @property
    def runs(self) -> Conditions:
        """All runs of the study, also those to come."""
        return (Condition("run", "group", "=", self.group),) if self.group else ()

    @property
    def answered(self) -> Conditions:
        """The runs that the report covers: no failed attempt, none of an earlier plan."""
        if self.run_ids:
            return (*self.runs, Condition("run", "name", "IN", self.run_ids))
        finished = Condition("run", "state", "=", "finished")
        named = (Condition("config", TRIAL, "IN", self.trials),) if self.trials else ()
        return (*self.runs, finished, *named)


@dataclass(frozen=True)
class PairsRun:
    """The pairs of an answer as a run of its own: no panel of W&B can pair the runs of two arms."""

    id: str
    title: str
    """Of the chart."""
    run: Callable[[], "AnswerRun"]
    """Draws its figure, so it is made only where it is uploaded."""
