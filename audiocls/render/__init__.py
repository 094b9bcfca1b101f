"""Rendering: an analysis as text, table, figure or page, in every format.

Cheap to import: matplotlib and jinja2 are loaded by the function that needs them.
"""

from audiocls.render.effect_table import effect_remarks, effect_table
from audiocls.render.figures import (
    cost_per_arm,
    effect_intervals,
    interactions,
    learning_curves,
    metric_against_cost,
    paired_differences,
)
from audiocls.render.headline import headline
from audiocls.render.html import to_html
from audiocls.render.latex import to_latex
from audiocls.render.markdown import to_markdown
from audiocls.render.svg import to_svg
from audiocls.render.tables import (
    Table,
    method_text,
    secondary_table,
    to_json,
    verdict_table,
)

__all__ = [
    "Table",
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
    "secondary_table",
    "to_html",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_svg",
    "verdict_table",
]
