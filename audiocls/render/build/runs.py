"""The runs that a study's panels show, and the run that its pairs are logged to."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from audiocls.analysis.results import Comparison
from audiocls.dotted import flatten
from audiocls.render.figures import Histories, paired_differences, validation_key
from audiocls.render.figures.svg import to_png
from audiocls.render.run_selection import PairsRun, RunSelection
from audiocls.store.record import Record, Study
from audiocls.tracking import run_id_of

if TYPE_CHECKING:
    from audiocls.tracking.wandb.report_run import AnswerRun

ARM = "arm"
BLOCK = ("seed", "fold")
STEP = "Step"
"""W&B's own axis, which every run has."""
COLUMNS = ("arm", "block", "seed", "fold", "difference")


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
        figure_png=_png(comparison),
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
