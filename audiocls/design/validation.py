"""From the mapping in a file to an `Ablation`, or to every error in it at once.

Each error reads `key: what is wrong, what is allowed, what to do`. Here are those of keys and
levels; `designs` has those of the design that the factors are put into.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from audiocls.design.ablation import Ablation, Changes
from audiocls.design.arms import is_same, matches
from audiocls.design.designs import validate_arms, validate_design, validate_labels
from audiocls.design.runs import BLOCKS, runs
from audiocls.errors import ConfigError, did_you_mean
from audiocls.formatting import format_level
from audiocls.validation_errors import describe_errors

MAX_ARMS = 25_000
"""Of one study. Each is resolved and checked before anything runs, in a fifth of a millisecond."""
OF_FACTORS = ("design", "resolution", "zip", "exclude", "when")
PLACEHOLDERS = {"name": "x", "question": "?"}
"""Required keys, for a file in which only the others are validated."""
INDEPENDENT = {*PLACEHOLDERS, "source", "blocks", "stats", "budget"}
"""Keys on which the validity of others does not depend."""


def load_ablation(given: Mapping[str, Any], where: str) -> Ablation:
    """Return the ablation that `given` spells; `where` names the file in the error.

    Raises `ConfigError` with every error of the file.
    """
    try:
        ablation = Ablation.model_validate(given)
    except ValidationError as error:
        problems = [*describe_errors(error, Ablation, given), *_rest(error, given)]
        raise ConfigError(where, problems) from error
    if problems := _problems(ablation):
        raise ConfigError(where, problems)
    return ablation


def _problems(ablation: Ablation) -> list[str]:
    """Return what is wrong with keys together, each of which is valid on its own."""
    in_factors = list(_validate_factors(ablation))
    problems = [*_validate_keys(ablation), *in_factors]
    if ablation.has_design and not in_factors:
        problems += validate_design(ablation)
    if ablation.has_design and not problems:
        problems += validate_arms(ablation)
    if ablation.labels and not problems:
        problems += validate_labels(ablation)
    return problems


def _rest(error: ValidationError, given: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a file beyond its misshapen keys, as far as these allow to tell."""
    misshapen = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
    independent = INDEPENDENT - ({"stats"} if {"program", "command"} & given.keys() else set())
    if misshapen & (Ablation.model_fields.keys() - independent):
        return []
    kept = {key: value for key, value in given.items() if key not in misshapen}
    return _problems(Ablation.model_validate({**PLACEHOLDERS, **kept}))


def _validate_keys(ablation: Ablation) -> Iterator[str]:
    for rule in (runs, _mixed, _metrics, _tuning):
        yield from rule(ablation)
    if ablation.has_design:
        yield from _exclude(ablation)


def _validate_factors(ablation: Ablation) -> Iterator[str]:
    """Yield the errors with which the factors cannot be put together."""
    yield from _blocks(ablation)
    if ablation.has_design:
        for rule in (_repeated, _zip, _when, _too_many):
            yield from rule(ablation)


def _too_many(ablation: Ablation) -> Iterator[str]:
    """Yield an error before the arms are made: a product of a few long lists never ends."""
    late = {key for group in ablation.zip for key in group[1:]}
    counts = [len(levels) for key, levels in ablation.factors.items() if key not in late]
    is_product = ablation.design == "factorial"
    num = math.prod(counts) if is_product else sum(counts)
    if num > MAX_ARMS:
        sign = " × " if is_product else " + "
        advice = f"levels, or {'design: fractional' if is_product else 'a sweep that searches'}"
        yield (
            f"factors: {sign.join(map(str, counts))} levels make {num:,} arms; at most "
            f"{MAX_ARMS:,}. Take fewer {advice}"
        )


def _mixed(ablation: Ablation) -> Iterator[str]:
    if bool(ablation.factors) == bool(ablation.arms):
        yield "factors: give either `factors` or `arms`, one of them and not both"
    if len(ablation.arms) == 1:
        yield "arms: needs at least two: the first is the baseline"
    if ablation.arms:
        for key in OF_FACTORS:
            if key in ablation.model_fields_set:
                yield f"{key}: `{key}` has no effect on named arms: leave it out"


def _blocks(ablation: Ablation) -> Iterator[str]:
    changed = [ablation.overrides, ablation.factors, *ablation.arms.values()]
    named = [*changed, *ablation.exclude, ablation.when, *ablation.when.values()]
    zipped = {key for group in ablation.zip for key in group}
    taken = dict(ablation.block_parameters) if ablation.is_program else {}
    for key, block in ({key: key for key in BLOCKS} | {v: k for k, v in taken.items()}).items():
        if key in zipped or any(key in each for each in named):
            yield f"{key}: {block} is a block, not a factor: list its values under `blocks`"
    if ablation.arms and len(ablation.arms) > MAX_ARMS:
        yield f"arms: got {len(ablation.arms):,}; at most {MAX_ARMS:,}"


def _metrics(ablation: Ablation) -> Iterator[str]:
    counts = Counter([ablation.metric.recorded, *(each.recorded for each in ablation.secondary)])
    for name, count in counts.items():
        if count > 1:
            first = (
                "the metric that decides" if name == ablation.metric.recorded else "listed twice"
            )
            yield f"secondary: {name} is {first}: keep it once"


def _tuning(ablation: Ablation) -> Iterator[str]:
    """Yield the errors of what each arm is to choose for itself."""
    tune = ablation.tune
    if bool(tune) != (ablation.tune_trials is not None):
        yield "`tune` and `tune_trials` need each other: what is searched, and in how many trials"
    varied = {key for each in (ablation.factors, *ablation.arms.values()) for key in each}
    for key in tune:
        for other in sorted(varied):
            if _is_within(key, other) or _is_within(other, key):
                yield f"tune.{key}: arms differ in {other}, which is compared, not chosen"
        if key in ablation.overrides:
            yield f"tune.{key}: `overrides` fixes it; remove one"
        if key in BLOCKS:
            yield f"tune.{key}: it is a block, not a choice; remove it"
        if key == "train.epochs":
            yield f"tune.{key}: arms that train as long as they like are not comparable; fix it"
        if _is_within(key, "data"):
            yield f"tune.{key}: arms are compared on the same data; set it in `overrides`"


def _is_within(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.")


def _repeated(ablation: Ablation) -> Iterator[str]:
    """Yield levels that occur twice; a zipped key may repeat a value, a zipped level may not."""
    zipped = {key for group in ablation.zip for key in group}
    for key, levels in ablation.factors.items():
        for text, count in Counter(map(format_level, levels)).items():
            if count > 1 and key not in zipped:
                yield f"factors: {key.rpartition('.')[2]}={text}: the same level is listed twice"


def _zip(ablation: Ablation) -> Iterator[str]:
    uses = Counter(key for group in ablation.zip for key in group)
    for key, count in uses.items():
        yield from _no_factor("zip", key, ablation.factors)
        if count > 1:
            yield f"zip: {key} is zipped {count} times: name it in one group"
    for group in ablation.zip:
        if len(group) < 2:
            yield f"zip: {list(group)} zips nothing: name two keys or more"
        lengths = {key: len(ablation.factors[key]) for key in group if key in ablation.factors}
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            yield f"zip: keys that advance together need equally many levels: {got}"
        elif len(lengths) == len(group):
            yield from _repeated_rows(group, ablation.factors)


def _repeated_rows(group: Iterable[str], factors: Mapping[str, list[Any]]) -> Iterator[str]:
    columns = ([format_level(level) for level in factors[key]] for key in group)
    rows = Counter(zip(*columns, strict=True))
    for row, count in rows.items():
        if count > 1:
            yield f"zip: {', '.join(group)} = {', '.join(row)}: the same level is listed twice"


def _exclude(ablation: Ablation) -> Iterator[str]:
    for part in ablation.exclude:
        if not part:
            yield "exclude: an empty combination would exclude every arm: name its levels"
        for key, value in part.items():
            yield from _no_factor("exclude", key, ablation.factors)
            yield from _no_level("exclude", key, value, ablation.factors)


def _when(ablation: Ablation) -> Iterator[str]:
    for key, condition in ablation.when.items():
        yield from _no_factor("when", key, ablation.factors)
        if not condition:
            yield f"when.{key}: no condition; name the level of another factor, or leave it out"
        for other, value in condition.items():
            where = f"when.{key}"
            yield from _no_factor(where, other, ablation.factors)
            yield from _no_level(where, other, value, ablation.factors)
            if other in _group(key, ablation):
                yield f"{where}: {other} cannot be the condition of itself"
            elif not _is_closed(other, condition, ablation):
                yield f"{where}: {other} is itself conditional: name its condition here as well"
            if _num_levels(other, condition, ablation) > 1:
                keys = ", ".join(_group(other, ablation))
                level = f"{other}={format_level(value)}"
                yield f"{where}: {level} fits several levels of {keys}: name more"


def _group(key: str, ablation: Ablation) -> tuple[str, ...]:
    """Return the key and those it is zipped with."""
    return next((group for group in ablation.zip if key in group), (key,))


def _is_closed(other: str, condition: Changes, ablation: Ablation) -> bool:
    """Whether the condition holds all that `other` depends on."""
    return all(matches(condition, ablation.when.get(k, {})) for k in _group(other, ablation))


def _num_levels(other: str, condition: Changes, ablation: Ablation) -> int:
    """Return how many levels of the factor of `other` the condition allows."""
    group = [key for key in _group(other, ablation) if key in ablation.factors]
    # Unequal lengths are an error of `zip`, reported there.
    rows = zip(*(ablation.factors[key] for key in group), strict=False)
    required = {key: condition[key] for key in group if key in condition}
    return sum(matches(dict(zip(group, row, strict=True)), required) for row in rows)


def _no_factor(where: str, key: str, factors: Mapping[str, list[Any]]) -> Iterator[str]:
    if key not in factors and key not in BLOCKS:
        known = ", ".join(factors)
        yield f"{where}: {key} is no factor; factors: {known}.{did_you_mean(key, factors)}"


def _no_level(where: str, key: str, value: Any, factors: Mapping[str, list[Any]]) -> Iterator[str]:
    levels = factors.get(key, [value])
    if not any(is_same(level, value) for level in levels):
        yield f"{where}: {key} has no level {value!r}; its levels: {', '.join(map(repr, levels))}"
