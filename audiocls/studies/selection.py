"""Texts that choose seeds, folds and arms, such as `0..4` and `a=1;b=2`, as lists."""

import re

from audiocls.errors import UsageError


def numbers(text: str | None, option: str) -> list[int]:
    """Return `0..4` and `0,2,5`, or mixtures, as numbers.

    >>> numbers("0..2,7", "--seeds")
    [0, 1, 2, 7]
    """
    found: list[int] = []
    for item in (text or "").split(",") if text else []:
        match = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", item)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"{option}: got {text!r}; allowed: such as 0..4 or 0,2,5")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def names(text: str | None, known: list[str]) -> list[str]:
    """Return arms separated by commas or semicolons; an arm's own commas are kept where known.

    >>> names("a=1,b=2,a=2", ["a=1,b=2", "a=2"])
    ['a=1,b=2', 'a=2']
    """
    if not text:
        return []
    if ";" in text:
        return [item.strip() for item in text.split(";") if item.strip()]
    found: list[str] = []
    rest = text.strip()
    while rest:
        fits = [name for name in known if rest == name or rest.startswith(name + ",")]
        arm = max(fits, key=len, default=rest.split(",")[0].strip())
        found.append(arm)
        rest = rest[len(arm) :].lstrip(", ")
    return found
