"""A search's answer as a W&B Report: the ranking, and what its trials say of each parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audiocls.render.figures import Histories
from audiocls.render.tables import Table, markdown_table
from audiocls.render.wandb.report import Blocks, assembled, command_blocks, list_blocks
from audiocls.render.wandb.run_selection import Place, RunSelection
from audiocls.render.wandb.workspaces_adapter import wr
from audiocls.store.record import Record
from audiocls.tracking import run_id_of

MOST_ROWS = 50
"""Of the ranking; the table of runs below it holds them all."""
STEP = "Step"
"""W&B's own axis, which every run has."""


@dataclass(frozen=True)
class Found:
    """What a search has found, in words."""

    description: str
    headline: str
    ranking: Table
    failed: tuple[str, ...]
    """A line each."""
    command: str


def subject_of_search(
    study: str,
    metric: str,
    searched: Sequence[str],
    records: Mapping[str, Record],
    histories: Histories,
    num_runs: int,
) -> RunSelection:
    """A search's runs, each for itself; `records` and `histories` by trial id."""
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


def search_report_of(subject: RunSelection, found: Found, place: Place) -> wr.Report:
    """The whole report, ready to be saved or written."""
    shown = replace(found.ranking, rows=found.ranking.rows[:MOST_ROWS])
    before: Blocks = [
        wr.CalloutBlock(found.headline),
        wr.H2("Ranking"),
        wr.MarkdownBlock(markdown_table(shown)),
    ]
    after = [*list_blocks("Failed", found.failed), *command_blocks(found.command)]
    return assembled(subject, place, found.description, before, after)
