"""What decides the metric of a search: a row for each parameter, and how its numbers are read."""

import math

from audiocls.analysis.ranking import Parameter, Ranking
from audiocls.formatting import NONE, format_percent, format_signed, plural
from audiocls.render.table import Cell, Column, Table

ROUGH_BELOW = 40
"""Trials: simulated searches of three parameters, one of which decides all, gave it nine tenths
or more every time from 40 trials on, and from 12 as little as four tenths."""


def parameter_title(ranking: Ranking) -> str:
    """Return the title of the section."""
    return f"What decides {ranking.metric or 'the metric'}"


def parameter_table(ranking: Ranking) -> Table:
    """Return a row for each searched parameter, the most important first."""
    return Table(
        columns=(
            Column("parameter", "name"),
            Column("importance"),
            Column("rank correlation"),
            Column("the best are", "word"),
        ),
        rows=tuple(_parameter_row(ranking, parameter) for parameter in ranking.parameters),
        label=f"{ranking.study.name}-parameters",
        caption=(f"{parameter_title(ranking)}.", parameter_remark(ranking)),
    )


def _parameter_row(ranking: Ranking, parameter: Parameter) -> tuple[Cell, ...]:
    share, correlation = parameter.share, parameter.correlation
    return (
        parameter.key,
        NONE if share is None else format_percent(round(share, 2)),
        NONE if correlation is None else format_signed(correlation, 2),
        direction(ranking, parameter),
    )


def direction(ranking: Ranking, parameter: Parameter) -> str:
    """Return where the better trials lie, or a dash where ranks could as well be unrelated."""
    correlation = parameter.correlation
    # Without any relation, Spearman's coefficient of n pairs has a standard error of about 1/√n.
    if correlation is None or abs(correlation) < 2 / math.sqrt(len(ranking.scored)):
        return NONE
    return "high" if (correlation > 0) == (ranking.goal == "maximize") else "low"


def parameter_remark(ranking: Ranking) -> str:
    """Return how importance and correlation came about, or why there are none."""
    shares = ranking.importance
    if shares.reason:
        return f"Importance of parameters: {shares.reason}."
    num = plural(shares.num_trials, ranking.noun)
    rough = f" From {num} it is rough." if _is_rough(ranking) else ""
    return (
        f"Importance: each parameter's share in what sets the best {shares.num_best} of "
        f"{num} apart from all (PED-ANOVA).{rough} Rank correlation: "
        f"Spearman's, of the parameter and {ranking.metric}. Values far from the best were tried "
        f"less often where the search itself chose the {ranking.noun}s: neither number proves a "
        "cause."
    )


def _is_rough(ranking: Ranking) -> bool:
    return ranking.importance.num_trials < ROUGH_BELOW
