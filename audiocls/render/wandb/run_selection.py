"""`RunSelection`: the runs that a study's panels show, and by which of their keys.

The keys are those that a trial tells W&B (`run/trial.py`): `arm` and `trial` in its config beside
its resolved configuration, metrics and `cost/…` in its summary, epochs in its history.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from audiocls.dotted import flatten
from audiocls.render.figures import Histories, validation_key
from audiocls.store.record import Record, Study

ARM, TRIAL = "arm", "trial"
BLOCK = ("seed", "fold")


@dataclass(frozen=True)
class Place:
    """Where on W&B a study's runs lie; an empty entity is whosever key is configured."""

    entity: str
    project: str


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
    """What there is to show; a search is one whose runs no `arm` groups: see `search`."""

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
    """Fields of `Cost` that somebody recorded."""
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
        """The runs that the answer speaks of: no failed attempt, none of an earlier plan."""
        if self.run_ids:
            return (*self.runs, Condition("run", "name", "IN", self.run_ids))
        finished = Condition("run", "state", "=", "finished")
        named = (Condition("config", TRIAL, "IN", self.trials),) if self.trials else ()
        return (*self.runs, finished, *named)


def subject_of(study: Study, records: Mapping[str, Record], histories: Histories) -> RunSelection:
    """An ablation's runs, grouped by arm; `records` and `histories` by trial id.

    Runs imported from another program know no arm: one key that was changed stands for it.
    """
    is_ours = not records or any(record.provenance.data for record in records.values())
    columns = {key for rows in histories.values() for row in rows for key in row}
    wanted = dict.fromkeys((validation_key(study), study.metric, "val/loss", "train/loss"))
    changed = tuple(dict.fromkeys(key for arm in study.arms.values() for key in flatten(arm)))
    costs = dict.fromkeys(
        name for r in records.values() for name, value in vars(r.cost).items() if value is not None
    )
    return RunSelection(
        study=study.name,
        group=study.name if is_ours else "",
        metric=study.metric,
        arm=ARM if is_ours else changed[0] if len(changed) == 1 else "",
        block=BLOCK if is_ours else (),
        varied=changed,
        curves=tuple(key for key in wanted if key in columns),
        costs=tuple(costs) if is_ours else (),
        trials=tuple(cell.id for cell in study.cells if cell.id in records) if is_ours else (),
        num_runs=len(study.cells),
    )
