"""Studies compared with each other, rendered: `audiocls report A B`."""

from audiocls.render.cross_study.page import to_html
from audiocls.render.cross_study.text import as_json, remarks, sentences, tables, to_markdown

__all__ = [
    "as_json",
    "remarks",
    "sentences",
    "tables",
    "to_html",
    "to_markdown",
]
