"""A sweep's page: one HTML file that needs nothing else."""

from collections import Counter

from audiocls.analysis.ranking import Ranking
from audiocls.render.page import inline, render
from audiocls.render.ranking import figures
from audiocls.render.ranking.text import (
    parameter_remark,
    parameter_table,
    ranking_headline,
    table_of,
)
from audiocls.render.svg import to_svg

MAX_ROWS = 100


def to_html(ranking: Ranking) -> str:
    """The whole page."""
    table = table_of(ranking)
    answer, *caution = ranking_headline(ranking).split(". The best of many", 1)
    return render(
        "sweep.html.j2",
        ranking=ranking,
        answer=answer.rstrip(".") + ".",
        caution="The best of many" + caution[0] if caution else "",
        states=Counter(ranked.state for ranked in ranking.trials),
        table=table,
        rows=table.rows[:MAX_ROWS],
        parameters=parameter_table(ranking),
        remark=parameter_remark(ranking),
        pictures=_pictures(ranking),
        num_drawn=len(figures.drawn(ranking)),
    )


def _pictures(ranking: Ranking) -> dict[str, str]:
    """Inline SVG by name; none where no trial has a value."""
    if not ranking.scored:
        return {}
    drawings = {"progress": figures.best_so_far(ranking)}
    if ranking.parameters:
        drawings["scatter"] = figures.metric_by_parameter(ranking)
    if not ranking.importance.reason:
        drawings["importance"] = figures.importances(ranking)
    return {name: inline(to_svg(drawing, name)) for name, drawing in drawings.items()}
