"""A document as JSON: the values of its analysis, not its text."""

import json

from audiocls.render.document import Document


def to_json(document: Document) -> str:
    """Return the text; every number is finite or null."""
    return json.dumps(document.values(), indent=1, allow_nan=False) + "\n"
