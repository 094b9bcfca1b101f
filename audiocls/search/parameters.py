"""A sweep's parameters one by one, in W&B's order, and nested again as a trial gets them.

W&B sorts the names at every level and descends into nested parameters where their name stands.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from audiocls.dotted import flatten, nest_paths
from audiocls.search.sweep import Categorical, Constant, Nested, Numeric, Parameter

Path = tuple[str, ...]
"""Names from the outermost mapping inwards; a name may hold dots, so no dotted text."""

Leaf = Constant | Categorical | Numeric


def leaves(parameters: Mapping[str, Parameter]) -> dict[Path, Leaf]:
    """Return every parameter that is not a mapping of others, in W&B's order.

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
    """Return the values that are the same in every trial."""
    flat = leaves(parameters).items()
    return {path: leaf.value for path, leaf in flat if isinstance(leaf, Constant)}


def varying(parameters: Mapping[str, Parameter]) -> dict[Path, Categorical | Numeric]:
    """Return the parameters that are searched, in W&B's order."""
    flat = leaves(parameters).items()
    return {path: leaf for path, leaf in flat if not isinstance(leaf, Constant)}


def searched_of(
    parameters: Mapping[str, Parameter], blocks: Collection[str]
) -> dict[Path, Categorical | Numeric]:
    """Return the parameters that vary, without those whose dotted names are among the blocks."""
    flat = varying(parameters).items()
    return {path: leaf for path, leaf in flat if ".".join(path) not in blocks}


def fixed_keys(parameters: Mapping[str, Parameter]) -> frozenset[str]:
    """Return the dotted keys of the values that are the same in every trial.

    >>> sorted(fixed_keys({"optim": Nested({"lr": Constant(1)}), "a": Categorical((1, 2))}))
    ['optim.lr']
    """
    return frozenset(flatten(assemble(constants(parameters))))


def assemble(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Nest values by path, with the names sorted: the form in which W&B passes them on."""
    return nest_paths(dict(sorted(values.items(), key=itemgetter(0))))


def values_at(parameters: Mapping[str, Any], paths: Iterable[Path]) -> dict[Path, Any] | None:
    """Return a trial's values at `paths`, or None if one is missing: a trial of another sweep."""
    values: dict[Path, Any] = {}
    for path in paths:
        value: Any = parameters
        for name in path:
            if not isinstance(value, Mapping) or name not in value:
                return None
            value = value[name]
        values[path] = value
    return values


def spelling(value: Any) -> str:
    """Return the same text for values that W&B holds equal: `1` and `1.0`, but not `True`.

    >>> spelling(1) == spelling(1.0), spelling(1) == spelling(True), spelling(1) == spelling("1")
    (True, False, False)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=repr)


@dataclass(frozen=True)
class CategoricalValues:
    """The distinct values of a parameter, in order; made by `distinct_values`."""

    values: tuple[Any, ...]
    positions: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Any:
        return self.values[index]

    def position(self, value: Any) -> int | None:
        """Return the position of `value` in whichever spelling, or None."""
        return self.positions.get(spelling(value))


def distinct_values(values: Iterable[Any]) -> CategoricalValues:
    """Drop repeated values; one keeps its first place and its last spelling, as in W&B's grid."""
    distinct = {spelling(value): value for value in values}
    positions = {text: position for position, text in enumerate(distinct)}
    return CategoricalValues(tuple(distinct.values()), positions)
