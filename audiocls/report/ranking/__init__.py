"""A sweep's answer: its trials from the best to the worst, and what decided."""

from audiocls.report.ranking.page import to_html
from audiocls.report.ranking.told import (
    headline,
    parameter_remark,
    parameter_table,
    table_of,
    to_json,
    to_markdown,
)
from audiocls.report.ranking.values import Parameter, Ranked, Ranking, in_order

__all__ = [
    "Parameter",
    "Ranked",
    "Ranking",
    "headline",
    "in_order",
    "parameter_remark",
    "parameter_table",
    "table_of",
    "to_html",
    "to_json",
    "to_markdown",
]
