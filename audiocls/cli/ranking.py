"""A sweep's answer, read from its folder, and rendered in each format."""

from pathlib import Path

from audiocls import console
from audiocls.analysis.ranking import Ranked, Ranking, in_order
from audiocls.atomic import write_text
from audiocls.render import ranking as rendered
from audiocls.search import Sweep
from audiocls.store import Proposal, StudyFolder
from audiocls.studies.sources.search import tried_of
from audiocls.studies.status import sweep_of

MAX_ROWS = 10


def rank(folder: StudyFolder) -> Ranking:
    """Everything known of a launched sweep so far."""
    study = folder.study()
    sweep = sweep_of(folder, study)
    proposals = enumerate(folder.proposals(), start=1)
    trials = [_ranked(folder, sweep, *numbered) for numbered in proposals]
    return in_order(study, sweep, trials)


def _ranked(folder: StudyFolder, sweep: Sweep, number: int, proposal: Proposal) -> Ranked:
    tried, trial = tried_of(sweep, folder, proposal), folder.trial(proposal.id)
    record = trial.record()
    seconds = record.cost.wall_s if record else None
    # A search holds for running what has no end, be it that its launch was stopped.
    state = trial.state() if tried.state == "running" else tried.state
    return Ranked(proposal, number, state, tried.value, seconds)


def show(ranking: Ranking) -> None:
    """The best trials as a table, the best in words, and what decided."""
    table = rendered.table_of(ranking)
    if table.rows:
        shown = table.rows[:MAX_ROWS]
        console.show_table(
            table.title, table.columns, shown, text=table.text, droppable=("time", "trial")
        )
    if len(table.rows) > MAX_ROWS:
        more = len(table.rows) - MAX_ROWS
        console.note(f"{more} more: audiocls report {ranking.study.name} --format md")
    console.say(rendered.ranking_headline(ranking))
    if len(ranking.scored) > 1:
        _show_parameters(ranking)


def _show_parameters(ranking: Ranking) -> None:
    if not ranking.importance.reason:
        table = rendered.parameter_table(ranking)
        console.show_table(table.title, table.columns, table.rows, text=table.text)
    console.say(rendered.parameter_remark(ranking))


def write_html(ranking: Ranking, folder: StudyFolder, out: Path | None = None) -> Path:
    """The whole page as one HTML file, in the study's folder unless told otherwise."""
    path = out or folder.path / "report.html"
    write_text(path, rendered.to_html(ranking))
    return path
