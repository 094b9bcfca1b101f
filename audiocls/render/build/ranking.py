"""The answer of a search: its trials from the best to the worst, and which parameters decided."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from audiocls.analysis.ranking import Parameter, Ranked, Ranking
from audiocls.formatting import (
    NONE,
    command_line,
    format_duration,
    format_percent,
    format_signed,
    join_names,
    plural,
)
from audiocls.render.document import (
    Block,
    Command,
    Document,
    Facts,
    Figure,
    Headline,
    Items,
    Runs,
    Section,
    Text,
    Title,
)
from audiocls.render.figures import search as figures
from audiocls.render.figures.search import short
from audiocls.render.run_selection import RunSelection
from audiocls.render.table import Cell, Column, Depth, Table

CAUTION = "The best of many is partly luck: confirm it as an arm of an ablation."
MOST_KEYS = 6
ROUGH_BELOW = 40
"""Trials: simulated searches of three parameters, one of which decides all, gave it nine tenths
or more every time from 40 trials on, and from 12 as little as four tenths."""


def ranking(
    ranking: Ranking,
    failures: Sequence[str] = (),
    selection: RunSelection | None = None,
    runs: Path | None = None,
) -> Document:
    """Return the document; `failures` are lines, `selection` the runs that W&B shows.

    `runs` is the folder of the study, for the commands that are shown.
    """
    name = ranking.study.name
    failed = (Section("Failed", (Items(tuple(failures)),), depth=Depth.TEXT),) if failures else ()
    blocks: tuple[Block, ...] = (
        Title(name, ranking.sweep.description),
        Headline(_answer(ranking), _caution(ranking)),
        Facts(_facts(ranking), depth=Depth.PAGE),
        *_progress(ranking),
        Section("Ranking", (table_of(ranking, runs),) if ranking.trials else ()),
        *_parameters(ranking),
        *((Runs(selection),) if selection else ()),
        *failed,
        Section("Reproduce", (Command(ranking.study.command),), depth=Depth.TEXT),
    )
    data, refusal = partial(to_json, ranking), _refusal(ranking) if ranking.is_refused else ""
    return Document(name=name, blocks=blocks, data=data, incomparable=refusal)


def _facts(ranking: Ranking) -> tuple[tuple[str, str], ...]:
    states = Counter(ranked.state for ranked in ranking.trials)
    return (
        *((("metric", f"{ranking.metric}, {ranking.goal}"),) if ranking.metric else ()),
        ("method", ranking.sweep.method),
        ("runs", ranking.study.search.runs if ranking.study.search else ""),
        *((state, str(num)) for state, num in states.items()),
    )


def _progress(ranking: Ranking) -> Iterator[Section]:
    if not ranking.scored:
        return
    caption = (
        "A dot is a trial, the line the best value until then, the star the best of all. It "
        "improves by luck alone too: the best of many draws is better than the typical one."
    )
    num_drawn, num_scored = len(figures.drawn(ranking)), len(ranking.scored)
    if num_drawn < num_scored:
        caption += (
            f" This and the figures below show {num_drawn} of {num_scored} trials: the best ones "
            "and an even choice of the others."
        )
    figure = Figure("progress", partial(figures.best_so_far, ranking), caption)
    yield Section("Best so far", (figure,), depth=Depth.PAGE)


def _parameters(ranking: Ranking) -> Iterator[Section]:
    if len(ranking.scored) < 2 or not ranking.parameters:
        return
    has_shares = not ranking.importance.reason
    shares: tuple[Block, ...] = (
        Figure("importance", partial(figures.importances, ranking)),
        parameter_table(ranking),
    )
    num = len(ranking.parameters)
    caption = "A dot is a trial, the star the best one. Values without an order stand side by side."
    if num > figures.MAX_PANELS:
        caption += f" The first {figures.MAX_PANELS} of {num} parameters."
    scatter = Figure("scatter", partial(figures.metric_by_parameter, ranking), caption)
    blocks = (*(shares if has_shares else ()), Text(parameter_remark(ranking)), scatter)
    yield Section(_parameter_title(ranking), blocks, is_live=True)


def _parameter_title(ranking: Ranking) -> str:
    return f"What decides {ranking.metric or 'the metric'}"


def ranking_headline(ranking: Ranking) -> str:
    """Return `Best of 12 trials: val/accuracy 0.81 with optim.lr=0.003.`, and its caution."""
    return f"{_answer(ranking)} {_caution(ranking)}".strip()


def _answer(ranking: Ranking) -> str:
    if not ranking.metric:
        num = plural(len(ranking.trials), "trial")
        return f"{num}; the sweep names no metric to rank them by."
    if ranking.is_refused:
        return _refusal(ranking)
    if not ranking.scored:
        return f"No trial has a value of {ranking.metric} yet."
    best = ranking.scored[0]
    values = {key: best.parameters[key] for key in ranking.searched if key in best.parameters}
    given = ", ".join(f"{key}={short(value)}" for key, value in values.items())
    num = plural(len(ranking.scored), "trial")
    suffix = f" with {given}" if given else ""
    return f"Best of {num}: {ranking.metric} {short(best.value)}{suffix}."


def _refusal(ranking: Ranking) -> str:
    """Return why no trial is better than another: none of them has read its parameters."""
    assert ranking.alike is not None
    value = next(ranked.value for ranked in ranking.trials if ranked.value is not None)
    return (
        f"Not ranked: all {ranking.alike.num_trials} trials that have ended did so alike, with "
        f"{ranking.metric} {short(value)} and the same history to the last bit, whatever "
        f"{join_names(ranking.alike.keys, MOST_KEYS)} was. Does the program read its parameters?"
    )


def _caution(ranking: Ranking) -> str:
    """Return what to mind of a ranking, and which parameters made no difference in it."""
    caution = CAUTION if len(ranking.scored) > 1 else ""
    if ranking.alike is None or ranking.is_refused:
        return caution
    keys = join_names(ranking.alike.keys, MOST_KEYS)
    return (
        f"{caution} {keys} had no effect: {ranking.alike.num_trials} trials ended alike to the "
        "last bit that differ in nothing else."
    ).strip()


def table_of(ranking: Ranking, runs: Path | None = None) -> Table:
    """Return a row for each trial; one without a value has no rank."""
    searched = ranking.searched
    parameters = (Column(key, "number" if ranking.is_numeric(key) else "word") for key in searched)
    return Table(
        columns=(
            Column(""),
            Column(ranking.metric or "metric"),
            *parameters,
            Column("state", "word"),
            Column("time", is_detail=True, drop=1),
            Column("trial", "word", is_detail=True, drop=2),
        ),
        rows=tuple(
            _row(rank if rank <= len(ranking.scored) else None, ranked, searched)
            for rank, ranked in enumerate(ranking.trials, start=1)
        ),
        label=f"{ranking.study.name}-ranking",
        caption=(f"{ranking.study.name}: the best trials.", ranking_headline(ranking)),
        all_rows=command_line("report", ranking.study.name, "--format", "md", runs=runs),
    )


def _row(rank: int | None, ranked: Ranked, searched: Sequence[str]) -> tuple[Cell, ...]:
    parameters = ranked.parameters
    return (
        "" if rank is None else str(rank),
        short(ranked.value),
        *(short(parameters.get(key)) for key in searched),
        ranked.state,
        format_duration(ranked.seconds),
        ranked.proposal.id,
    )


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
        caption=(f"{_parameter_title(ranking)}.", parameter_remark(ranking)),
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
    rough = f" From {shares.num_trials} trials it is rough." if _is_rough(ranking) else ""
    return (
        f"Importance: each parameter's share in what sets the best {shares.num_best} of "
        f"{shares.num_trials} trials apart from all (PED-ANOVA).{rough} Rank correlation: "
        f"Spearman's, of the parameter and {ranking.metric}. Values far from the best were tried "
        "less often where the search itself chose the trials: neither number proves a cause."
    )


def _is_rough(ranking: Ranking) -> bool:
    return ranking.importance.num_trials < ROUGH_BELOW


def to_json(ranking: Ranking) -> dict[str, Any]:
    """Return the ranking as plain values."""
    shares, without_effect = ranking.importance, ranking.alike
    return {
        "study": ranking.study.name,
        "metric": ranking.metric,
        "goal": ranking.goal,
        "headline": ranking_headline(ranking),
        "is_refused": ranking.is_refused,
        "without_effect": list(without_effect.keys) if without_effect else [],
        "importance": {
            "num_trials": shares.num_trials,
            "num_best": shares.num_best,
            "reason": shares.reason,
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
