"""The blocks of a sweep: the seed and the fold of a trial, and the setting that they repeat."""

from collections.abc import Mapping
from typing import Any

from audiocls.dotted import flatten
from audiocls.search.sweep import Sweep


def block_of(sweep: Sweep, parameters: Mapping[str, Any]) -> dict[str, int]:
    """Return a trial's `seed` and `fold`, as far as the sweep says which parameter they are."""
    flat = flatten(parameters)
    return {block: flat[name] for block, name in sweep.blocks.items() if name in flat}


def without_blocks(sweep: Sweep, parameters: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Return a trial's parameters, nested as they are, without its seed and its fold.

    `at` is the dotted name of the mapping they are in, with a dot behind it.
    """
    kept: dict[str, Any] = {}
    for name, value in parameters.items():
        inner = (
            without_blocks(sweep, value, f"{at}{name}.") if isinstance(value, Mapping) else value
        )
        is_emptied = inner == {} and value != {}
        if f"{at}{name}" not in sweep.blocks.values() and not is_emptied:
            kept[name] = inner
    return kept
