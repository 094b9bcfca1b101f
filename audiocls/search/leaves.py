"""A sweep's parameters one by one, in W&B's order, and put together again as a trial gets them.

W&B sorts the names at every level and walks into nested parameters where their name stands.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from audiocls.dotted import flatten, nest_paths
from audiocls.search.sweep import Categorical, Constant, Nested, Numeric, Parameter

Path = tuple[str, ...]
"""Names from the outermost mapping inwards; a name may hold dots, so no dotted text."""

Leaf = Constant | Categorical | Numeric


def leaves(parameters: Mapping[str, Parameter]) -> dict[Path, Leaf]:
    """Every parameter that is not a mapping of others, in W&B's order.

    >>> inner = Nested({"b": Constant(1), "a": Constant(2)})
    >>> list(leaves({"z": Constant(3), "optim": inner}))
    [('optim', 'a'), ('optim', 'b'), ('z',)]
    """
    flat: dict[Path, Leaf] = {}
    for name, parameter in sorted(parameters.items()):
        if isinstance(parameter, Nested):
            inner = leaves(parameter.parameters)
            flat |= {(name, *path): leaf for path, leaf in inner.items()}
        else:
            flat[(name,)] = parameter
    return flat


def constants(parameters: Mapping[str, Parameter]) -> dict[Path, Any]:
    """What every trial gets."""
    found = leaves(parameters).items()
    return {path: leaf.value for path, leaf in found if isinstance(leaf, Constant)}


def varying(parameters: Mapping[str, Parameter]) -> dict[Path, Categorical | Numeric]:
    """What is searched, in W&B's order."""
    found = leaves(parameters).items()
    return {path: leaf for path, leaf in found if not isinstance(leaf, Constant)}


def fixed_keys(parameters: Mapping[str, Parameter]) -> frozenset[str]:
    """The dotted keys of what every trial gets, by which no two are told apart.

    >>> sorted(fixed_keys({"optim": Nested({"lr": Constant(1)}), "a": Categorical((1, 2))}))
    ['optim.lr']
    """
    return frozenset(flatten(assemble(constants(parameters))))


def assemble(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Nest values by path, with the names sorted: the form in which W&B passes them on."""
    return nest_paths(dict(sorted(values.items(), key=itemgetter(0))))


def values_at(parameters: Mapping[str, Any], paths: Iterable[Path]) -> dict[Path, Any] | None:
    """The values that a trial has at `paths`; none if it lacks one, being of another sweep."""
    found: dict[Path, Any] = {}
    for path in paths:
        value: Any = parameters
        for name in path:
            if not isinstance(value, Mapping) or name not in value:
                return None
            value = value[name]
        found[path] = value
    return found
