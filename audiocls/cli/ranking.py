"""A sweep's answer: its trials from the best to the worst, as far as they have ended."""

import math
from dataclasses import dataclass
from typing import Any

from audiocls import console
from audiocls.dotted import flatten
from audiocls.run.searching import tried_of
from audiocls.search import Sweep, Tried, load_sweep
from audiocls.store import Proposal, StudyFolder, SweepStudy

MAX_ROWS = 10


@dataclass(frozen=True)
class Ranked:
    """One trial in its place."""

    proposal: Proposal
    tried: Tried
    seconds: float | None

    @property
    def parameters(self) -> dict[str, Any]:
        return flatten(self.proposal.parameters)


@dataclass(frozen=True)
class Ranking:
    """A launched sweep and its trials, the best first; those without a value last, in order."""

    folder: StudyFolder
    study: SweepStudy
    sweep: Sweep
    trials: tuple[Ranked, ...]

    @property
    def metric(self) -> str:
        return self.sweep.metric.name if self.sweep.metric else ""


def rank(folder: StudyFolder) -> Ranking:
    """Everything known of a launched sweep so far."""
    study = folder.sweep_study()
    sweep = load_sweep(study.sweep, str(folder.path / "study.yaml"))
    trials = [_ranked(folder, sweep, proposal) for proposal in folder.proposals()]
    sign = -1 if sweep.metric and sweep.metric.goal == "maximize" else 1

    def key(ranked: Ranked) -> float:
        value = ranked.tried.value
        return math.inf if value is None else sign * value

    return Ranking(folder, study, sweep, tuple(sorted(trials, key=key)))


def _ranked(folder: StudyFolder, sweep: Sweep, proposal: Proposal) -> Ranked:
    record = folder.trial(proposal.id).record()
    seconds = record.cost.wall_s if record else None
    return Ranked(proposal, tried_of(sweep, folder, proposal), seconds)


def show(ranking: Ranking) -> None:
    """The best trials as a table, and the best in words."""
    swept = list(dict.fromkeys(key for ranked in ranking.trials for key in ranked.parameters))
    metric = ranking.metric or "metric"
    rows = [_row(place, ranked, swept) for place, ranked in enumerate(ranking.trials, start=1)]
    if rows:
        console.show_table(
            f"{ranking.study.name}: the best trials",
            ("", metric, *swept, "state", "time", "trial"),
            rows[:MAX_ROWS],
            text=("state", "trial", *swept),
            expendable=("time", "trial"),
        )
    if len(rows) > MAX_ROWS:
        console.note(f"{len(rows) - MAX_ROWS} more: audiocls report {ranking.study.name} --json")
    console.say(headline(ranking))


def _row(place: int, ranked: Ranked, swept: list[str]) -> tuple[str, ...]:
    value, parameters = ranked.tried.value, ranked.parameters
    return (
        str(place),
        "–" if value is None else f"{value:.4g}",
        *(_short(parameters.get(key, "–")) for key in swept),
        ranked.tried.state,
        "–" if ranked.seconds is None else console.duration(ranked.seconds),
        ranked.proposal.id,
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def headline(ranking: Ranking) -> str:
    """`Best of 12 trials: val/accuracy 0.81 with optim.lr=0.003.`, and what that is not."""
    scored = [ranked for ranked in ranking.trials if ranked.tried.value is not None]
    if not ranking.metric:
        return f"{len(ranking.trials)} trials; the sweep names no metric to rank them by."
    if not scored:
        return f"No trial has a value of {ranking.metric} yet."
    best = scored[0]
    values = ", ".join(f"{key}={_short(value)}" for key, value in best.parameters.items())
    return (
        f"Best of {len(scored)} trials: {ranking.metric} {best.tried.value:.4g} with {values}. "
        "The best of many is partly luck: confirm it as an arm of an ablation."
    )


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
                "state": ranked.tried.state,
                "value": ranked.tried.value,
                "seconds": ranked.seconds,
            }
            for ranked in ranking.trials
        ],
    }


def to_markdown(ranking: Ranking) -> str:
    """The whole ranking as a Markdown table."""
    swept = list(dict.fromkeys(key for ranked in ranking.trials for key in ranked.parameters))
    head = ("place", ranking.metric or "metric", *swept, "state", "time", "trial")
    rows = [_row(place, ranked, swept) for place, ranked in enumerate(ranking.trials, start=1)]
    lines = [head, tuple("---" for _ in head), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"# {ranking.study.name}\n\n{headline(ranking)}\n\n{table}\n"
