"""The answer as one HTML file that needs nothing else: no network, no script, no second file."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from audiocls.analysis import pareto
from audiocls.analysis.clips import ClipSection
from audiocls.analysis.results import Comparison, Failed
from audiocls.formatting import NONE, format_percent, plural
from audiocls.render import figures
from audiocls.render.clips import told
from audiocls.render.effect_table import EFFECT_MEANINGS, effect_remarks
from audiocls.render.headline import headline
from audiocls.render.page import inline, render
from audiocls.render.svg import to_svg
from audiocls.render.tables import VERDICT_MEANINGS, method_text
from audiocls.store.record import Provenance, Study

SECTIONS = (
    "verdicts",
    "pairs",
    "effects",
    "curves",
    "cost",
    "pareto",
    "clips",
    "missing",
    "method",
    "reproduce",
)
"""The page's parts in their order, each a template in `page/`."""

"""A cell, the cause of its failure, and one line about it."""


def to_html(
    comparison: Comparison,
    study: Study,
    histories: figures.Histories,
    failures: Sequence[Failed] = (),
    provenance: Iterable[Provenance] = (),
    clips: ClipSection | None = None,
) -> str:
    """The whole report; `histories` by trial id, `provenance` of the records that were compared."""
    failed = {cell.id for cell, *_ in failures}
    return render(
        "page.html.j2",
        sections=SECTIONS,
        comparison=comparison,
        study=study,
        headline=headline(comparison).replace(" %", "\N{NO-BREAK SPACE}%").split("; ", 1),
        method=method_text(comparison),
        meanings=VERDICT_MEANINGS,
        effect_meanings=EFFECT_MEANINGS,
        effect_remarks=effect_remarks(comparison),
        fronts=pareto.sentences(comparison),
        level=format_percent(1 - comparison.alpha),
        pictures=_pictures(comparison, study, histories),
        failures=failures,
        pending=[cell for cell in comparison.missing if cell.id not in failed],
        versions=_versions(provenance),
        blocks=_blocks(study),
        by_clip=told(clips or ClipSection()),
        num_drawn=min(figures.MAX_ARMS, len(comparison.compared)),
    )


def _pictures(comparison: Comparison, study: Study, histories: figures.Histories) -> dict[str, str]:
    """Inline SVG by name; learning curves only where there is a history to draw."""
    pictures = {
        "pairs": to_svg(figures.paired_differences(comparison), "pairs"),
        "cost": to_svg(figures.cost_per_arm(comparison), "cost"),
    }
    if comparison.effects.estimates:
        pictures["effects"] = to_svg(figures.effect_intervals(comparison), "effects")
    if comparison.effects.tables:
        pictures["interactions"] = to_svg(figures.interactions(comparison), "interactions")
    if any(front.is_told_apart for front in pareto.fronts(comparison)):
        pictures["fronts"] = to_svg(figures.metric_against_cost(comparison), "fronts")
    for name, key in {"metric": figures.validation_key(study), "loss": "val/loss"}.items():
        if figures.has_curve(histories, key):
            pictures[name] = to_svg(
                figures.learning_curves(study, histories, key, comparison.ratio), name
            )
    return {name: inline(svg) for name, svg in pictures.items()}


def _versions(provenance: Iterable[Provenance]) -> dict[str, str]:
    """Each part of the provenance with all values it took, so that a mixture shows."""
    values: dict[str, set[str]] = {}
    for origin in provenance:
        for name, value in asdict(origin).items():
            values.setdefault(name, set()).add(str(value))
    if not values:
        return {}
    known = {name: sorted(found - {""}) or [NONE] for name, found in values.items()}
    started, finished = known.pop("started")[0], known.pop("finished")[-1]
    told = {name: ", ".join(found) for name, found in known.items()}
    return {**told, "first trial started": started, "last trial finished": finished}


def _blocks(study: Study) -> str:
    """`3 seeds × 5 folds`."""
    most = "at most " if study.looks else ""  # An arm that is decided gets no more.
    return f"{most}{plural(len(study.seeds), 'seed')} × {plural(len(study.folds), 'fold')}"
