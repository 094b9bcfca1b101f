"""The trials behind a document as CSV: a row each, for a spreadsheet or another program."""

import csv
import io

from audiocls.render.document import Document


def to_csv(document: Document) -> str:
    """Return the text, with a column for each key of any row; what a trial lacks is empty.

    The columns are those of `Study.rows()`. Lines end as RFC 4180 says, in CRLF, on every system.
    """
    assert document.trials is not None, "an answer of no trials does not offer this format"
    rows = list(document.trials())
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
