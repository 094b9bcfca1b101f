"""A sweep's answer: its trials from the best to the worst, and what decided."""

from audiocls.render.ranking.page import to_html
from audiocls.render.ranking.text import (
    parameter_remark,
    parameter_table,
    ranking_headline,
    table_of,
    to_json,
    to_markdown,
)

__all__ = [
    "parameter_remark",
    "parameter_table",
    "ranking_headline",
    "table_of",
    "to_html",
    "to_json",
    "to_markdown",
]
