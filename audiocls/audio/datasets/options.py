"""Kinds of options that several data sets have."""

import re
from typing import Annotated

from pydantic import AfterValidator


def _regular(pattern: str | None) -> str | None:
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise ValueError(f"got {pattern!r}, no regular expression ({error})") from error
    return pattern


Pattern = Annotated[str | None, AfterValidator(_regular)]
"""A regular expression of which a group, or all, is the source of a clip."""
