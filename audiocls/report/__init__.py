"""Answers from records: paired comparisons, and the same answer as text, picture or page.

    answer    a study's folder, read ─ compare ─▶ results.Comparison ─▶ every format
    compare   pairing ─▶ objections (compute, tuned, alike) ─▶ measured ─▶ verdicts (looks),
              with caveats, and effects of the factors
    formats   headline, tables, effect_table, pareto, figures ─▶ markdown, html (page), latex,
              dashboards
    besides   clips (clip by clip), studies (A against B), ranking (of a sweep), noise, evidence and
              promise (of a plan)

Numbers come from the store's values alone. Cheap to import: matplotlib, scipy and jinja2 are loaded
by the function that needs them.
"""

from audiocls.report.answer import Answer, read_answer
from audiocls.report.compare import compare
from audiocls.report.effect_table import effect_remarks, effect_table
from audiocls.report.figures import (
    cost_per_arm,
    effect_intervals,
    interactions,
    learning_curves,
    metric_against_cost,
    paired_differences,
)
from audiocls.report.headline import headline
from audiocls.report.html import to_html
from audiocls.report.latex import to_latex
from audiocls.report.markdown import to_markdown
from audiocls.report.results import ArmResult, Comparison, Verdict
from audiocls.report.svg import to_svg
from audiocls.report.tables import (
    Table,
    method_text,
    secondary_table,
    to_json,
    verdict_table,
)

__all__ = [
    "Answer",
    "ArmResult",
    "Comparison",
    "Table",
    "Verdict",
    "compare",
    "cost_per_arm",
    "effect_intervals",
    "effect_remarks",
    "effect_table",
    "headline",
    "interactions",
    "learning_curves",
    "method_text",
    "metric_against_cost",
    "paired_differences",
    "read_answer",
    "secondary_table",
    "to_html",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_svg",
    "verdict_table",
]
