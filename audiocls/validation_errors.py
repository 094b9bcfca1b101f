"""Pydantic's validation errors as sentences: key, value, what is allowed, what to do."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from audiocls.errors import did_you_mean

LONGEST_GOT = 200
"""Characters of a wrong value that a sentence repeats."""

SHIPPED, OWN = "shipped part", "own part"
"""Tags by which a union distinguishes a shipped part from an own one."""

Loc = tuple[int | str, ...]


def describe_errors(
    error: ValidationError, root: type[BaseModel], given: Mapping[str, Any]
) -> list[str]:
    """Return a sentence for each error of `given`, which failed to validate as a `root`."""
    details = error.errors(include_url=False)
    return [_sentence(detail, root, given) for detail in details if not _is_echo(detail)]


def _is_echo(fault: Any) -> bool:
    """Whether a list is too short only because one of its items has an error of its own."""
    is_short = fault["type"] == "too_short"
    return is_short and bool(len(fault["input"]) > fault["ctx"]["actual_length"])


def _sentence(fault: Any, root: type[BaseModel], given: Mapping[str, Any]) -> str:
    path = _dotted_path(fault["loc"], given)
    key = ".".join(str(step) for step in path) or "(whole)"
    if fault["type"] == "extra_forbidden":
        known = _fields_at(root, path[:-1], given)
        hint = did_you_mean(str(path[-1]), known)
        return f"{key}: unknown key.{hint} Known here: {', '.join(known)}"
    if fault["type"].startswith("union_tag"):
        allowed = fault.get("ctx", {}).get("expected_tags", "one of the known names")
        got = fault["input"].get("name") if isinstance(fault["input"], Mapping) else None
        hint = did_you_mean(str(got), str(allowed).replace("'", "").split(", ")) if got else ""
        return f"{key}.name: got {got!r}; allowed: {allowed}.{hint}{_of_own(got)}"
    if fault["type"] == "missing":
        return f"{key}: missing, and it has no default"
    if fault["type"] == "value_error":
        return f"{key}: {str(fault['msg']).removeprefix('Value error, ')}"
    # A file has lists; that they become tuples here is no concern of who wrote it.
    reason = fault["msg"].replace("tuple", "list").replace("Tuple", "List")
    return f"{key}: got {_shortened(fault['input'])}; {reason}"


def _of_own(got: object) -> str:
    """Return how a dotted path is written as an import string."""
    module, dot, attribute = str(got).rpartition(".")
    return f" A part of your own: {f'{module}:{attribute}'!r}" if dot and module else ""


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_GOT else f"{text[:LONGEST_GOT]}…"


def _dotted_path(loc: Loc, given: Mapping[str, Any]) -> list[int | str]:
    """Return `loc` without the tags that pydantic inserts for the members of a union."""
    path: list[int | str] = []
    node: Any = given
    for step in (step for step in loc if step not in (SHIPPED, OWN)):
        is_tag = isinstance(node, Mapping) and step not in node and node.get("name") == step
        if is_tag:
            continue
        path.append(step)
        node = _child(node, step)
    return path


def _child(node: Any, step: int | str) -> Any:
    if isinstance(node, Mapping):
        return node.get(step)
    if isinstance(node, Sequence) and isinstance(step, int) and step < len(node):
        return node[step]
    return None


def _fields_at(model: Any, path: Sequence[int | str], given: Any) -> list[str]:
    """Return the names of the fields of the options at `path`."""
    for step in path:
        given = _child(given, step)
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        model = _member(field.annotation, given) if field else None
        if model is None:
            return []
    return list(model.model_fields)


def _member(annotation: Any, given: Any) -> type[BaseModel] | None:
    """Return the model of an annotation; of a union, the member that `given` names."""
    if get_origin(annotation) is Annotated:
        return _member(get_args(annotation)[0], given)
    if get_origin(annotation) is not None:
        members = [m for m in get_args(annotation) if _is_model(m)]
        name = given.get("name") if isinstance(given, Mapping) else None
        named = [m for m in members if name in _tags(m)]
        return next(iter(named or members), None)
    return annotation if _is_model(annotation) else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """Return the values of `name` that select a model: mostly one."""
    field = model.model_fields.get("name")
    return get_args(field.annotation) if field else ()
