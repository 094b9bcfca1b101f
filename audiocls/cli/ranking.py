"""A sweep's answer: its trials from the best to the worst, as far as they have ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audiocls import console
from audiocls.dotted import flatten
from audiocls.report.tables import Table, markdown_table
from audiocls.run.searching import tried_of
from audiocls.search import Sweep, fixed_keys, load_sweep
from audiocls.store import Proposal, StudyFolder, SweepStudy

MAX_ROWS = 10
NO_VALUE = "–"


@dataclass(frozen=True)
class Ranked:
    """One trial in its place."""

    proposal: Proposal
    state: str
    """`finished`, `stopped` (early, by the sweep's rule), `failed`, `running`, or `pending`."""
    value: float | None
    """Of the sweep's metric."""
    seconds: float | None

    @property
    def parameters(self) -> dict[str, Any]:
        return flatten(self.proposal.parameters)


@dataclass(frozen=True)
class Ranking:
    """A launched sweep and its trials, the best first; those without a value last, in order."""

    study: SweepStudy
    sweep: Sweep
    trials: tuple[Ranked, ...]

    @property
    def metric(self) -> str:
        return self.sweep.metric.name if self.sweep.metric else ""

    @property
    def searched(self) -> tuple[str, ...]:
        """Dotted keys by which trials may differ, those of an earlier launch included."""
        fixed = fixed_keys(self.sweep.parameters)
        found: dict[str, set[str]] = {}
        for ranked in self.trials:
            for key, value in ranked.parameters.items():
                found.setdefault(key, set()).add(str(value))
        return tuple(key for key, texts in found.items() if key not in fixed or len(texts) > 1)


def sweep_of(folder: StudyFolder) -> Sweep:
    """The sweep as it was launched last."""
    return load_sweep(folder.sweep_study().sweep, str(folder.path / "study.yaml"))


def rank(folder: StudyFolder) -> Ranking:
    """Everything known of a launched sweep so far."""
    sweep = sweep_of(folder)
    trials = [_ranked(folder, sweep, proposal) for proposal in folder.proposals()]
    sign = -1 if sweep.metric and sweep.metric.goal == "maximize" else 1

    def key(ranked: Ranked) -> float:
        return math.inf if ranked.value is None else sign * ranked.value

    return Ranking(folder.sweep_study(), sweep, tuple(sorted(trials, key=key)))


def _ranked(folder: StudyFolder, sweep: Sweep, proposal: Proposal) -> Ranked:
    tried, trial = tried_of(sweep, folder, proposal), folder.trial(proposal.id)
    record = trial.record()
    seconds = record.cost.wall_s if record else None
    # A search holds for running what has no end, be it that its launch was stopped.
    state = trial.state() if tried.state == "running" else tried.state
    return Ranked(proposal, state, tried.value, seconds)


def table_of(ranking: Ranking) -> Table:
    """A row a trial; what has no value has no place."""
    searched = ranking.searched
    return Table(
        title=f"{ranking.study.name}: the best trials",
        columns=("", ranking.metric or "metric", *searched, "state", "time", "trial"),
        rows=tuple(_row(*placed, searched) for placed in enumerate(ranking.trials, start=1)),
        text=("state", "trial", *(key for key in searched if not _is_numeric(ranking, key))),
    )


def _row(place: int, ranked: Ranked, searched: Sequence[str]) -> tuple[str, ...]:
    return (
        "" if ranked.value is None else str(place),
        _short(ranked.value),
        *(_short(ranked.parameters.get(key)) for key in searched),
        ranked.state,
        NO_VALUE if ranked.seconds is None else console.duration(ranked.seconds),
        ranked.proposal.id,
    )


def _is_numeric(ranking: Ranking, key: str) -> bool:
    values = [ranked.parameters.get(key) for ranked in ranking.trials]
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _short(value: Any) -> str:
    if value is None:
        return NO_VALUE
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show(ranking: Ranking) -> None:
    """The best trials as a table, and the best in words."""
    table = table_of(ranking)
    if table.rows:
        shown = table.rows[:MAX_ROWS]
        console.show_table(
            table.title, table.columns, shown, text=table.text, expendable=("time", "trial")
        )
    if len(table.rows) > MAX_ROWS:
        more = len(table.rows) - MAX_ROWS
        console.note(f"{more} more: audiocls report {ranking.study.name} --format md")
    console.say(headline(ranking))


def headline(ranking: Ranking) -> str:
    """`Best of 12 trials: val/accuracy 0.81 with optim.lr=0.003.`, and what that is not."""
    scored = [ranked for ranked in ranking.trials if ranked.value is not None]
    if not ranking.metric:
        return f"{_trials(ranking.trials)}; the sweep names no metric to rank them by."
    if not scored:
        return f"No trial has a value of {ranking.metric} yet."
    best = scored[0]
    found = {key: best.parameters[key] for key in ranking.searched if key in best.parameters}
    values = ", ".join(f"{key}={_short(value)}" for key, value in found.items())
    given = f" with {values}" if values else ""
    answer = f"Best of {_trials(scored)}: {ranking.metric} {_short(best.value)}{given}."
    caution = "The best of many is partly luck: confirm it as an arm of an ablation."
    return f"{answer} {caution}" if len(scored) > 1 else answer


def _trials(trials: Sequence[Ranked]) -> str:
    return f"{len(trials)} trial{'s' * (len(trials) != 1)}"


def to_json(ranking: Ranking) -> dict[str, Any]:
    """The ranking as plain values."""
    return {
        "study": ranking.study.name,
        "metric": ranking.metric,
        "goal": ranking.sweep.metric.goal if ranking.sweep.metric else None,
        "headline": headline(ranking),
        "trials": [
            {
                "id": ranked.proposal.id,
                "parameters": ranked.proposal.parameters,
                "state": ranked.state,
                "value": ranked.value,
                "seconds": ranked.seconds,
            }
            for ranked in ranking.trials
        ],
    }


def to_markdown(ranking: Ranking) -> str:
    """The whole ranking as a Markdown table."""
    return f"# {ranking.study.name}\n\n{headline(ranking)}\n\n{markdown_table(table_of(ranking))}\n"
