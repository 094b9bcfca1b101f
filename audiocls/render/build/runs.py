"""`RunSelection`: the runs that a study's panels show, and by which of their keys.

The keys are those that a trial logs to W&B (`execution/trial.py`): `arm` and `trial`
in its config beside its resolved configuration, metrics and `cost/…` in its summary, epochs in its
history.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from audiocls.analysis.results import Comparison
from audiocls.dotted import flatten
from audiocls.render.figures import Histories, paired_differences, validation_key
from audiocls.render.figures.svg import to_png
from audiocls.store.record import Record, Study
from audiocls.tracking import run_id_of

if TYPE_CHECKING:
    from audiocls.tracking.wandb.report_run import AnswerRun

ARM, TRIAL = "arm", "trial"
BLOCK = ("seed", "fold")
STEP = "Step"
"""W&B's own axis, which every run has."""
COLUMNS = ("arm", "block", "seed", "fold", "difference")


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


def study_runs(study: Study, records: Mapping[str, Record], histories: Histories) -> RunSelection:
    """Select an ablation's runs, grouped by arm; `records` and `histories` by trial id.

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


def search_runs(
    study: str,
    metric: str,
    searched: Sequence[str],
    records: Mapping[str, Record],
    histories: Histories,
    num_runs: int,
) -> RunSelection:
    """Select a search's runs, each for itself; `records` and `histories` by trial id."""
    is_ours = any(record.provenance.data for record in records.values())
    columns = {key for rows in histories.values() for row in rows for key in row}
    wanted = dict.fromkeys((metric, "val/loss", "train/loss") if is_ours else (metric,))
    costs = dict.fromkeys(
        name for r in records.values() for name, value in vars(r.cost).items() if value is not None
    )
    ids = tuple(run_id_of(trial_id, study, r.attempt) for trial_id, r in records.items())
    return RunSelection(
        study=study,
        group=study,
        # What a record calls `val/…` is the chosen epoch's; W&B knows that under `best/`.
        metric=f"best/{metric}" if is_ours and metric.startswith("val/") else metric,
        arm="",
        block=(),
        varied=tuple(searched),
        curves=tuple(key for key in wanted if key in columns),
        costs=tuple(costs) if is_ours else (),
        trials=tuple(records) if is_ours else (),
        num_runs=num_runs,
        run_ids=() if is_ours else ids,
        axis="epoch" if "epoch" in columns else STEP,
    )


def pairs_run(comparison: Comparison) -> PairsRun | None:
    """Return the run of a comparison's pairs; `None` where no arm has a pair."""
    if not any(result.differences for result in comparison.arms):
        return None
    unit = " in points" if comparison.scale == 100 else ""
    title = f"difference of {comparison.metric}{unit}, arm − {comparison.other_side}"
    return PairsRun(answer_id(comparison), title, partial(answer_run, comparison))


def answer_id(comparison: Comparison) -> str:
    """Return an id that is the same for the same answer: a report always shows its own pairs."""
    question = [comparison.study, comparison.metric, comparison.margin]
    arms = [(result.arm, result.verdict, result.differences) for result in comparison.arms]
    digest = hashlib.sha256(json.dumps([question, arms]).encode()).hexdigest()
    return f"answer-{digest[:12]}"


def answer_run(comparison: Comparison) -> "AnswerRun":
    """Return what the report shows from the server; in a group beside the study's own."""
    from audiocls.tracking.wandb.report_run import AnswerRun

    return AnswerRun(
        id=answer_id(comparison),
        group=f"{comparison.study} (answers)",
        name=f"pairs of {comparison.study}",
        columns=COLUMNS,
        rows=_rows(comparison),
        picture=_png(comparison),
    )


def _rows(comparison: Comparison) -> tuple[tuple[str | int | float, ...], ...]:
    """Return a row for each arm and block; blocks are numbered from 1 by seed and fold."""
    blocks = sorted({(s, f) for result in comparison.arms for s, f, _ in result.differences})
    numbers = {block: number for number, block in enumerate(blocks, 1)}
    return tuple(
        (result.arm, numbers[seed, fold], seed, fold, difference * comparison.scale)
        for result in comparison.compared
        for seed, fold, difference in sorted(result.differences)
    )


def _png(comparison: Comparison) -> bytes:
    return to_png(paired_differences(comparison))
