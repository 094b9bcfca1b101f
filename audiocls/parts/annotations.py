"""Whether a value fits an annotation as it is written in a source, which is read and never run."""

import ast
import functools
import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from audiocls.validation_reasons import reason

KNOWN: dict[str, Any] = {
    **{each.__name__: each for each in (int, float, bool, str, list, tuple, dict)},
    **{name: getattr(typing, name) for name in ("Any", "Literal", "Optional", "Union")},
    "List": list,
    "Tuple": tuple,
    "Dict": dict,
    "Sequence": Sequence,
    "Mapping": Mapping,
    "None": None,
}
"""Types that values of a configuration can have."""


def fault_of(name: str, value: Any, annotation: str) -> list[str]:
    """Return a sentence if an option does not fit its annotation; one that is not known fits all.

    >>> fault_of("width", "wide", "int")
    ["width: got 'wide'; wanted: a whole number"]
    >>> fault_of("width", [3, 3], "tuple[int, int] | None")
    []
    """
    adapter = _adapter(annotation)
    if adapter is None:
        return []
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        reasons = dict.fromkeys(reason(each["type"], each.get("ctx", {})) for each in errors)
        return [f"{name}: got {value!r}; {'; or '.join(reasons)}"]
    return []


def converted(value: Any, annotation: str) -> Any:
    """Return a value of a configuration as its annotation has it: a list as a tuple, say."""
    adapter = _adapter(annotation)
    return value if adapter is None else adapter.validate_json(json.dumps(value), strict=True)


@functools.lru_cache(maxsize=512)
def _adapter(annotation: str) -> TypeAdapter[Any] | None:
    try:
        tree = ast.parse(annotation, mode="eval").body
        return TypeAdapter(_type(tree)) if annotation else None
    except (SyntaxError, KeyError, TypeError):
        return None


def _type(node: ast.expr) -> Any:
    """Return the type that an expression means; raises `KeyError` for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="typing" | "t"), attr=name):
            return KNOWN[name]
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str() as text):
            return _type(ast.parse(text, mode="eval").body)
        case ast.BinOp(op=ast.BitOr()):
            return typing.Union[_type(node.left), _type(node.right)]  # noqa: UP007
        case ast.Subscript(value=outer, slice=inner):
            kind = _type(outer)
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if kind is typing.Literal:
                return typing.Literal[tuple(ast.literal_eval(each) for each in parts)]
            arguments = tuple(_argument(each) for each in parts)
            return kind[arguments if len(arguments) > 1 else arguments[0]]
        case _:
            raise KeyError(ast.unparse(node))


def _argument(node: ast.expr) -> Any:
    is_ellipsis = isinstance(node, ast.Constant) and node.value is ...
    return ... if is_ellipsis else _type(node)
