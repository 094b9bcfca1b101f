"""Answers from records: paired comparisons, and the same answer as text, picture or page.

Reads only the store's values. Cheap to import: matplotlib, scipy, statsmodels and jinja2 are
loaded by the function that needs them.
"""

from audiocls.report.answer import Answer, read_answer
from audiocls.report.compare import compare
from audiocls.report.figures import cost_per_arm, learning_curves, paired_differences
from audiocls.report.headline import headline
from audiocls.report.html import to_html
from audiocls.report.latex import to_latex
from audiocls.report.results import ArmResult, Comparison, Verdict
from audiocls.report.svg import to_svg
from audiocls.report.tables import (
    Table,
    method_text,
    secondary_table,
    to_json,
    to_markdown,
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
    "headline",
    "learning_curves",
    "method_text",
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
