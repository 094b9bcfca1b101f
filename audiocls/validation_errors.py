"""Pydantic's validation errors as sentences: key, value, what is allowed, what to do."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from audiocls.errors import did_you_mean
from audiocls.field_words import keys_meant, meanings, option_meant
from audiocls.validation_reasons import MAPPING, WANTED, reason

LONGEST_GOT = 200
"""Characters of a wrong value that a sentence repeats."""

MISSPELT = 0.8
"""From this likeness on a key is taken for one beside it, and for no word of the field."""

SHIPPED, OWN = "shipped part", "own part"
"""Tags by which a union distinguishes a shipped part from an own one."""

OF_KEY = "[key]"
"""What pydantic appends where a key itself is wrong."""

Loc = tuple[int | str, ...]


def describe_errors(
    error: ValidationError,
    root: type[BaseModel],
    given: Mapping[str, Any],
    has_rules: bool = True,
) -> list[str]:
    """Return a sentence for each error of `given`, which failed to validate as a `root`.

    `has_rules`: whether those of rules between keys are among them, which a part does not tell.
    """
    details = [each for each in error.errors(include_url=False) if not _is_echo(each)]
    kept = [each for each in details if has_rules or each["type"] != "value_error"]
    return [_sentence(detail, root, given) for detail in kept]


def _is_echo(fault: Any) -> bool:
    """Whether an error only repeats that of an item in a list, or of what a default is made of."""
    if fault["type"] == "default_factory_not_called":
        return True
    is_short = fault["type"] == "too_short"
    return is_short and bool(len(fault["input"]) > fault["ctx"]["actual_length"])


def _sentence(fault: Any, root: type[BaseModel], given: Mapping[str, Any]) -> str:
    path = _dotted_path(fault["loc"], given)
    key = ".".join(str(step) for step in path) or "(whole)"
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key.{_hint(path, root, given)}"
    if fault["type"].startswith("union_tag"):
        return _unknown_name(key, fault, _names_at(root, path, given))
    if fault["type"] == "missing":
        return f"{key}: missing, and it has no default"
    if fault["type"] == "value_error":
        rule = str(fault["msg"]).removeprefix("Value error, ")
        return f"{key}: {rule}" if path else rule  # of a whole recipe, a rule names its keys
    if WANTED.get(fault["type"]) == MAPPING:
        return f"{key}: got {_shortened(fault['input'])}; {_of_section(path, root, given)}"
    why = reason(fault["type"], fault.get("ctx", {}), fault["input"])
    return f"{key}: got {_shortened(fault['input'])}; {why}"


def _hint(path: Sequence[int | str], root: type[BaseModel], given: Mapping[str, Any]) -> str:
    """Return what an unknown key may mean: a key elsewhere, by the field's word, or one beside."""
    word, known = str(path[-1]), _fields_at(root, path[:-1], given)
    listed = f" Known here: {', '.join(known)}"
    meant = keys_meant(word, list(keys_below(root, given)))
    before = "".join(f"{step}." for step in path[:-1])
    beside = [key.removeprefix(before) for key in meant if key.removeprefix(before) in known]
    misspelt = get_close_matches(word, known, n=1, cutoff=MISSPELT) if before else []
    if near := did_you_mean(word, misspelt or beside):
        return f"{near}{listed}"
    if meant:
        return f" Here it is {' or '.join(meant)}.{listed}"
    is_of_recipe = "factors" in root.model_fields and len(path) == 1
    if option := option_meant(word):
        return f" It is no part of a recipe: `audiocls sweep launch` takes {option}.{listed}"
    if not (elsewhere := " or ".join(meanings(word))):
        return f"{did_you_mean(word, known)}{listed}"
    if is_of_recipe:
        where = "set it in `factors`, `arms` or `overrides`"
        return f" It is {elsewhere} of the recipe: {where}.{listed}"
    return f" Where there is one, it is {elsewhere}; here there is none.{listed}"


def _unknown_name(key: str, fault: Any, known: Sequence[str]) -> str:
    allowed = ", ".join(map(repr, known)) or "one of the known names"
    got = fault["input"].get("name") if isinstance(fault["input"], Mapping) else None
    if got is None:
        return f"{key}.name: missing; allowed: {allowed}"
    hint = did_you_mean(str(got), known)
    return f"{key}.name: got {_shortened(got)}; allowed: {allowed}.{hint}{_of_own(got)}"


def _of_section(path: Sequence[int | str], root: type[BaseModel], given: Mapping[str, Any]) -> str:
    """Return how a part is written that got a single value: by its name, or by its options."""
    key, value = ".".join(map(str, path)), given
    for step in path:
        value = _child(value, step)
    fields = _fields_at(root, path, given)
    if "name" in fields and isinstance(value, str):
        return f"wanted: {key}.name={value}, and its options as further keys of {key}"
    if not fields:
        return f"wanted: {MAPPING}"
    such = [each for each in meanings(str(path[-1])) if each.startswith(f"{key}.")]
    example = f", such as {such[0]}" if such else ""
    return f"wanted: a mapping of its keys ({', '.join(fields)}){example}"


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
    for step in (step for step in loc if step not in (SHIPPED, OWN, OF_KEY)):
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


def _fields_at(root: type[BaseModel], path: Sequence[int | str], given: Any) -> list[str]:
    """Return the names of the fields of the options at `path`."""
    models, inner = _models_at(root, path, given)
    return list(_chosen(models, inner).model_fields) if models else []


def _names_at(root: type[BaseModel], path: Sequence[int | str], given: Any) -> list[str]:
    """Return the names of the parts that there are to choose from at `path`."""
    models, _ = _models_at(root, path, given)
    return [str(name) for model in models for name in _tags(model)]


def _models_at(
    root: type[BaseModel], path: Sequence[int | str], given: Any
) -> tuple[list[type[BaseModel]], Any]:
    """Return the options that `path` can hold, several in a union, and what is given there."""
    models = [root]
    for step in path:
        model, given = _chosen(models, given), _child(given, step)
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        models = list(models_in(field.annotation)) if field else []
        if not models:
            break
    return models, given


def keys_below(model: type[BaseModel], given: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a model and of all options in it, of the parts that are named.

    Optional parts have keys where they are given.
    """
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        inner, models = _child(given, name), list(models_in(field.annotation))
        is_there = field.default is not None or isinstance(inner, Mapping)
        if models and is_there and get_origin(field.annotation) not in (tuple, list, dict):
            yield from keys_below(_chosen(models, inner), inner, f"{prefix}{name}.")


def literals_at(root: type[BaseModel], path: Sequence[str]) -> set[Any]:
    """Return the values that a field lists, of all options that there are to choose from above."""
    *parents, name = path
    models = [root]
    for step in parents:
        fields = [model.model_fields[step] for model in models if step in model.model_fields]
        models = [model for field in fields for model in models_in(field.annotation)]
    found = [model.model_fields[name] for model in models if name in model.model_fields]
    return {value for field in found for value in _literals(field.annotation)}


def _literals(annotation: Any) -> Iterator[Any]:
    is_literal = get_origin(annotation) is Literal
    for each in get_args(annotation):
        if is_literal:
            yield each
        else:
            yield from _literals(each)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the options in an annotation: of a union all, of a list those of its items."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from models_in(get_args(annotation)[0])
    else:
        for each in get_args(annotation):
            yield from models_in(each)


def _chosen(models: Sequence[type[BaseModel]], given: Any) -> type[BaseModel]:
    """Return that of several options which `given` names, or the first."""
    name = given.get("name") if isinstance(given, Mapping) else None
    return next((model for model in models if name in _tags(model)), models[0])


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """Return the values of `name` that select a model: mostly one."""
    field = model.model_fields.get("name")
    return get_args(field.annotation) if field else ()
