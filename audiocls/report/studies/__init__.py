"""Studies compared with each other: `audiocls report A B`."""

from audiocls.report.studies.joint import Across, Joint, Known, compare_studies
from audiocls.report.studies.page import to_html
from audiocls.report.studies.told import as_json, remarks, sentences, tables, to_markdown

__all__ = [
    "Across",
    "Joint",
    "Known",
    "as_json",
    "compare_studies",
    "remarks",
    "sentences",
    "tables",
    "to_html",
    "to_markdown",
]
