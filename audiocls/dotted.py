"""Conversion between dotted keys such as `optim.lr` and nested mappings.

>>> nest({"optim.lr": 0.1, "seed": 1})
{'optim': {'lr': 0.1}, 'seed': 1}
>>> flatten({'optim': {'lr': 0.1}, 'seed': 1})
{'optim.lr': 0.1, 'seed': 1}
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

PLAIN = (str, int, float, type(None), list, tuple)
"""Types of most leaves, which are told from mappings by these faster."""


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a nested mapping by dotted key; an empty mapping is a leaf."""
    return dict(_leaves(tree, prefix))


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, PLAIN) or not isinstance(value, Mapping) or not value:
            yield f"{prefix}{key}", value
        else:
            yield from _leaves(value, f"{prefix}{key}.")


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested mapping of dotted keys; a later key wins over an earlier one."""
    return nest_paths({tuple(key.split(".")): value for key, value in flat.items()})


def nest_paths(flat: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Return the nested mapping of values by path, for names that may hold dots themselves."""
    tree: dict[str, Any] = {}
    for (*parents, leaf), value in flat.items():
        node = tree
        for parent in parents:
            child = node.get(parent)
            # A copy, so that an option below a nested mapping is not written into the caller's.
            node[parent] = dict(child) if isinstance(child, Mapping) else {}
            node = node[parent]
        node[leaf] = value
    return tree


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Return the last part of each dotted key, or the whole key where that is ambiguous.

    >>> short_names(["optim.lr", "model.width", "head.width"])
    {'optim.lr': 'lr', 'model.width': 'model.width', 'head.width': 'head.width'}
    """
    leaves = {key: key.rpartition(".")[2] for key in keys}
    counts = Counter(leaves.values())
    return {key: leaf if counts[leaf] == 1 else key for key, leaf in leaves.items()}
