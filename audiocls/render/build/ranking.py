"""The answer of a search: its trials from the best to the worst, and which parameters decided."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from audiocls.analysis.ranking import Ranked, Ranking
from audiocls.formatting import (
    command_line,
    format_duration,
    format_json,
    join_names,
    plural,
)
from audiocls.render.build.parameters import parameter_remark, parameter_table, parameter_title
from audiocls.render.build.winner import winner_blocks, winner_values
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
from audiocls.studies.winner import Winner

CAUTION = "The best of many is partly luck: confirm it as an arm of an ablation."
IN_PAIRS = "The best of many is partly luck: compare settings in pairs, as said below."
UNPAIRED = (
    "Settings were tried on other seeds and folds, which differ by themselves: confirm the best as "
    "an arm of an ablation."
)
MOST_KEYS = 6


def ranking(
    ranking: Ranking,
    failures: Sequence[str] = (),
    selection: RunSelection | None = None,
    runs: Path | None = None,
    over_budget: Sequence[str] = (),
    winner: Winner | None = None,
) -> Document:
    """Return the document; `failures` and trials over budget are lines, `selection` is W&B's runs.

    `runs` is the folder of the study, for the commands that are shown; `winner` its best trial.
    """
    name = ranking.study.name
    sections = {"Over budget": over_budget, "Failed": failures}
    failed = [
        Section(title, (Items(tuple(lines)),), depth=Depth.TEXT)
        for title, lines in sections.items()
        if lines
    ]
    blocks: tuple[Block, ...] = (
        Title(name, ranking.sweep.description),
        Headline(_answer(ranking), _caution(ranking)),
        Facts(_facts(ranking), depth=Depth.PAGE),
        *_progress(ranking),
        Section("Ranking", (table_of(ranking, runs),) if ranking.trials else ()),
        *winner_blocks(ranking, winner),
        *_pairs(ranking, runs),
        *_parameters(ranking),
        *((Runs(selection),) if selection else ()),
        *failed,
        Section("Reproduce", (Command(ranking.study.command),), depth=Depth.TEXT),
    )
    data, refusal = (
        partial(to_json, ranking, winner),
        _refusal(ranking) if ranking.is_refused else "",
    )
    return Document(name=name, blocks=blocks, data=data, incomparable=refusal)


def _facts(ranking: Ranking) -> tuple[tuple[str, str], ...]:
    states = Counter(ranked.state for ranked in ranking.trials)
    return (
        *((("metric", f"{ranking.metric}, {ranking.goal}"),) if ranking.metric else ()),
        ("method", ranking.sweep.method),
        ("runs", ranking.study.search.runs if ranking.study.search else ""),
        *((state, str(num)) for state, num in states.items()),
    )


def _pairs(ranking: Ranking, runs: Path | None) -> Iterator[Section]:
    """Yield how settings are compared with each other, where they share seeds and folds."""
    if line := pairs_command(ranking, runs):
        text = "Verdicts on settings, in pairs of the same seed and fold, with their errors:"
        yield Section("Compare settings", (Text(text), Command(line)))


def pairs_command(ranking: Ranking, runs: Path | None = None) -> str:
    """Return the command that compares settings in pairs; empty where nothing repeats them."""
    if len(ranking.scored) < 2 or not all(each.error for each in ranking.scored):
        return ""
    first = min(ranking.scored, key=lambda ranked: ranked.number).parameters
    keys = ranking.searched
    baseline = ",".join(f"{key}={format_json(first.get(key))}" for key in keys)
    options = ("--arm", ",".join(keys), "--baseline", baseline)
    return command_line("import", ranking.study.name, *options, runs=runs)


def _progress(ranking: Ranking) -> Iterator[Section]:
    if not ranking.scored:
        return
    caption = (
        f"A dot is a {ranking.noun}, the line the best value until then, the star the best of all. "
        "It improves by luck alone too: the best of many draws is better than the typical one."
    )
    num_drawn, num_scored = len(figures.drawn(ranking)), len(ranking.scored)
    if num_drawn < num_scored:
        caption += (
            f" This and the figures below show {num_drawn} of {num_scored} {ranking.noun}s: the "
            "best ones and an even choice of the others."
        )
    draw = partial(figures.best_so_far, ranking)
    figure = Figure("progress", draw, caption, draw_narrow=partial(draw, is_narrow=True))
    yield Section("Best so far", (figure,), depth=Depth.PAGE)


def _parameters(ranking: Ranking) -> Iterator[Section]:
    if len(ranking.scored) < 2 or not ranking.parameters:
        return
    has_shares = not ranking.importance.reason
    draw = partial(figures.importances, ranking)
    shares: tuple[Block, ...] = (
        Figure("importance", draw, draw_narrow=partial(draw, is_narrow=True)),
        parameter_table(ranking),
    )
    num = len(ranking.parameters)
    caption = (
        f"A dot is a {ranking.noun}, the star the best one. Values without an order stand side by "
        "side."
    )
    if num > figures.MAX_PANELS:
        caption += f" The first {figures.MAX_PANELS} of {num} parameters."
    draw = partial(figures.metric_by_parameter, ranking)
    scatter = Figure("scatter", draw, caption, draw_narrow=partial(draw, is_narrow=True))
    blocks = (*(shares if has_shares else ()), Text(parameter_remark(ranking)), scatter)
    yield Section(parameter_title(ranking), blocks, is_live=True)


def ranking_headline(ranking: Ranking) -> str:
    """Return `Best of 12 trials: val/accuracy 0.81 with optim.lr=0.003.`, and its caution."""
    return f"{_answer(ranking)} {_caution(ranking)}".strip()


def short_best(ranking: Ranking) -> str:
    """Return `val/accuracy 0.81 with optim.lr=0.003`; empty where nothing is ranked."""
    if not ranking.scored:
        return ""
    best = ranking.scored[0]
    return f"{ranking.metric} {short(best.value)}{_settings(ranking, best)}"


def _settings(ranking: Ranking, ranked: Ranked) -> str:
    """Return ` with optim.lr=0.003`; empty where nothing is searched."""
    values = ranked.parameters
    given = ", ".join(f"{key}={short(values[key])}" for key in ranking.searched if key in values)
    return f" with {given}" if given else ""


def _answer(ranking: Ranking) -> str:
    if not ranking.metric:
        num = plural(len(ranking.trials), "trial")
        return f"{num}; the sweep names no metric to rank them by."
    if ranking.is_refused:
        return _refusal(ranking)
    if not ranking.scored:
        return f"No trial has a value of {ranking.metric} yet."
    best = ranking.scored[0]
    num, settings = plural(len(ranking.scored), ranking.noun), _settings(ranking, best)
    return f"Best of {num}: {ranking.metric} {short(best.value)}{_mean(best)}{settings}."


def _mean(best: Ranked) -> str:
    """Return of how many trials a setting's value is the mean, and its standard error."""
    if best.error is None:
        return ""
    num = sum(each.value is not None for each in best.trials)
    return f" ± {short(best.error)} (mean of {num} trials, standard error)"


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
    if pairs_command(ranking):
        caution = IN_PAIRS
    elif caution and ranking.sweep.blocks:
        caution = UNPAIRED
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
            *((Column("± SE"), Column("trials")) if ranking.sweep.blocks else ()),
            *parameters,
            Column("state", "word"),
            Column("time", is_detail=True, drop=1),
            *(() if ranking.sweep.blocks else (Column("trial", "id", is_detail=True),)),
        ),
        rows=tuple(
            _row(rank if rank <= len(ranking.scored) else None, ranked, ranking)
            for rank, ranked in enumerate(ranking.trials, start=1)
        ),
        label=f"{ranking.study.name}-ranking",
        caption=(f"{ranking.study.name}: the best {ranking.noun}s.", ranking_headline(ranking)),
        all_rows=command_line("report", ranking.study.name, "--format", "md", runs=runs),
    )


def _row(rank: int | None, ranked: Ranked, ranking: Ranking) -> tuple[Cell, ...]:
    parameters = ranked.parameters
    return (
        "" if rank is None else str(rank),
        short(ranked.value),
        *((short(ranked.error), str(len(ranked.trials))) if ranking.sweep.blocks else ()),
        *(short(parameters.get(key)) for key in ranking.searched),
        ranked.state,
        format_duration(ranked.seconds),
        *(() if ranking.sweep.blocks else (ranked.proposal.id,)),
    )


def to_json(ranking: Ranking, winner: Winner | None = None) -> dict[str, Any]:
    """Return the ranking as plain values, and what is known of the best trial."""
    shares, without_effect = ranking.importance, ranking.alike
    return {
        "study": ranking.study.name,
        "metric": ranking.metric,
        "goal": ranking.goal,
        "headline": ranking_headline(ranking),
        "is_refused": ranking.is_refused,
        "winner": winner_values(winner),
        **(_repeats(ranking) if ranking.sweep.blocks else {}),
        "without_effect": list(without_effect.keys) if without_effect else [],
        "importance": {
            "num_trials": shares.num_trials,
            "num_best": shares.num_best,
            "reason": shares.reason,
            "parameters": [vars(parameter) for parameter in ranking.parameters],
        },
        f"{ranking.noun}s": [_values(ranked) for ranked in ranking.trials],
    }


def _repeats(ranking: Ranking) -> dict[str, Any]:
    """Return what repeats a setting, and how settings are compared."""
    return {"blocks": dict(ranking.sweep.blocks), "pairs_command": pairs_command(ranking)}


def _values(ranked: Ranked) -> dict[str, Any]:
    """Return a trial as plain values, or a setting with its trials."""
    trials = {
        "standard_error": ranked.error,
        "trials": [_values(each) for each in ranked.trials],
    }
    return {
        "id": ranked.proposal.id,
        "parameters": ranked.proposal.parameters,
        "state": ranked.state,
        "value": ranked.value,
        "seconds": ranked.seconds,
        **(trials if ranked.trials else {}),
    }
