"""A ranking in words, as tables, as Markdown and as JSON."""

import math
from collections.abc import Sequence
from typing import Any

from audiocls.analysis.ranking import Parameter, Ranked, Ranking
from audiocls.formatting import (
    NONE,
    format_duration,
    format_percent,
    format_signed,
    format_value,
    plural,
)
from audiocls.render.tables import Table, escaped, markdown_table

ROUGH_BELOW = 40
"""Trials: simulated searches of three parameters, one of which decides all, gave it nine tenths
or more every time from 40 trials on, and from 12 as little as four tenths."""


def ranking_headline(ranking: Ranking) -> str:
    """`Best of 12 trials: val/accuracy 0.81 with optim.lr=0.003.`, and what that is not."""
    scored = ranking.scored
    if not ranking.metric:
        num = plural(len(ranking.trials), "trial")
        return f"{num}; the sweep names no metric to rank them by."
    if not scored:
        return f"No trial has a value of {ranking.metric} yet."
    best = scored[0]
    found = {key: best.parameters[key] for key in ranking.searched if key in best.parameters}
    values = ", ".join(f"{key}={short(value)}" for key, value in found.items())
    given = f" with {values}" if values else ""
    num = plural(len(scored), "trial")
    answer = f"Best of {num}: {ranking.metric} {short(best.value)}{given}."
    caution = "The best of many is partly luck: confirm it as an arm of an ablation."
    return f"{answer} {caution}" if len(scored) > 1 else answer


def table_of(ranking: Ranking) -> Table:
    """A row a trial; what has no value has no place."""
    searched = ranking.searched
    return Table(
        title=f"{ranking.study.name}: the best trials",
        columns=("", ranking.metric or "metric", *searched, "state", "time", "trial"),
        rows=tuple(_row(*placed, searched) for placed in enumerate(ranking.trials, start=1)),
        text=("state", "trial", *(key for key in searched if not ranking.is_numeric(key))),
    )


def _row(place: int, ranked: Ranked, searched: Sequence[str]) -> tuple[str, ...]:
    parameters = ranked.parameters
    return (
        "" if ranked.value is None else str(place),
        short(ranked.value),
        *(short(parameters.get(key)) for key in searched),
        ranked.state,
        format_duration(ranked.seconds),
        ranked.proposal.id,
    )


def parameter_table(ranking: Ranking) -> Table:
    """A row a searched parameter, the most important first."""
    return Table(
        title=f"What decides {ranking.metric or 'the metric'}",
        columns=("parameter", "importance", "rank correlation", "the best are"),
        rows=tuple(_parameter_row(ranking, parameter) for parameter in ranking.parameters),
        text=("parameter", "the best are"),
    )


def _parameter_row(ranking: Ranking, parameter: Parameter) -> tuple[str, ...]:
    share, correlation = parameter.share, parameter.correlation
    return (
        parameter.key,
        NONE if share is None else format_percent(round(share, 2)),
        NONE if correlation is None else format_signed(correlation, 2),
        direction(ranking, parameter),
    )


def direction(ranking: Ranking, parameter: Parameter) -> str:
    """Which way the better trials lie, where ranks without any relation would seldom say so."""
    correlation = parameter.correlation
    if correlation is None or abs(correlation) < 2 / math.sqrt(len(ranking.scored)):
        return NONE
    return "high" if (correlation > 0) == (ranking.goal == "maximize") else "low"


def parameter_remark(ranking: Ranking) -> str:
    """How the numbers came about, or why there are none."""
    found = ranking.importance
    if found.reason:
        return f"Importance of parameters: {found.reason}."
    rough = f" From {found.num_trials} trials it is rough." if _is_rough(ranking) else ""
    return (
        f"Importance: each parameter's share in what sets the best {found.num_best} of "
        f"{found.num_trials} trials apart from all (PED-ANOVA).{rough} Rank correlation: "
        f"Spearman's, of the parameter and {ranking.metric}. What is far from the best was tried "
        "less often where the search itself chose the trials: neither number proves a cause."
    )


def _is_rough(ranking: Ranking) -> bool:
    return ranking.importance.num_trials < ROUGH_BELOW


def short(value: Any) -> str:
    """Write the value of a parameter for a row of a table."""
    return NONE if value is None else format_value(value, digits=4)


def to_json(ranking: Ranking) -> dict[str, Any]:
    """The ranking as plain values."""
    found = ranking.importance
    return {
        "study": ranking.study.name,
        "metric": ranking.metric,
        "goal": ranking.goal,
        "headline": ranking_headline(ranking),
        "importance": {
            "num_trials": found.num_trials,
            "num_best": found.num_best,
            "reason": found.reason,
            "parameters": [vars(parameter) for parameter in ranking.parameters],
        },
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
    has_shares = not ranking.importance.reason
    parts = [
        f"# {ranking.study.name}",
        ranking_headline(ranking),
        *([markdown_table(parameter_table(ranking))] if has_shares else []),
        escaped(parameter_remark(ranking)),
        markdown_table(table_of(ranking)),
    ]
    return "\n\n".join(parts) + "\n"
