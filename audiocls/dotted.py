"""`optim.lr` and nested mappings are two spellings of one thing; this converts between them.

>>> nest({"optim.lr": 0.1, "seed": 1})
{'optim': {'lr': 0.1}, 'seed': 1}
>>> flatten({'optim': {'lr': 0.1}, 'seed': 1})
{'optim.lr': 0.1, 'seed': 1}
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of a nested mapping under their dotted names; an empty mapping is a leaf."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{path}."))
        else:
            flat[path] = value
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested mapping of dotted names; a later name wins over an earlier one."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            child = node.get(parent)
            # A copy, so that an option below a nested mapping is not written into the caller's.
            node[parent] = dict(child) if isinstance(child, Mapping) else {}
            node = node[parent]
        node[leaf] = value
    return tree


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """The last part of each dotted key, or the whole key where that would be ambiguous.

    >>> short_names(["optim.lr", "model.width", "head.width"])
    {'optim.lr': 'lr', 'model.width': 'model.width', 'head.width': 'head.width'}
    """
    leaves = {key: key.rpartition(".")[2] for key in keys}
    counts = Counter(leaves.values())
    return {key: leaf if counts[leaf] == 1 else key for key, leaf in leaves.items()}


def format_short(values: Mapping[str, Any]) -> str:
    """Values by the last part of their names, numbers rounded: for people.

    >>> format_short({"optim": {"lr": 0.00123456}, "model.dropout": 0.1})
    'lr=0.00123,dropout=0.1'
    """
    return ",".join(f"{key.rpartition('.')[2]}={_short(v)}" for key, v in flatten(values).items())


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
