"""Layers of dotted keys, the later over the earlier: recipe < ablation < command line."""

from collections.abc import Mapping, Sequence
from typing import Any

from audiocls.dotted import flatten

NAME = ".name"


def merge(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One flat mapping of dotted keys.

    Choosing another part (`model.name`, `data.name` …) drops what earlier layers said of the old
    one, since its options are not the new one's: the new part starts from its own defaults.

    >>> merge([{"model.name": "a", "model.x": 1}, {"model.name": "b"}])
    {'model.name': 'b'}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        flat = flatten(layer)
        for key, value in flat.items():
            if key.endswith(NAME) and merged.get(key) != value:
                merged = _without(merged, key.removesuffix(NAME) + ".")
        for key, value in flat.items():
            merged = _without(merged, key + ".")
            merged[key] = value
    return merged


def _without(flat: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key: value for key, value in flat.items() if not key.startswith(prefix)}
