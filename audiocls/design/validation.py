"""What is wrong with an ablation's keys and levels, whatever its design makes of them."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from audiocls.design.ablation import Ablation, Changes
from audiocls.design.factor import is_same, matches
from audiocls.design.tuning import faults_of_tuning
from audiocls.errors import did_you_mean
from audiocls.formatting import format_level

BLOCKS = ("seed", "fold")
MAX_ARMS = 10_000
OF_FACTORS = ("design", "resolution", "zip", "exclude", "when")


def validate_keys(ablation: Ablation) -> Iterator[str]:
    """Each as `key: what is wrong, what is allowed, what to do`."""
    for look in (_mixed, _metrics, _tuning):
        yield from look(ablation)
    if ablation.has_design:
        yield from _exclude(ablation)


def faults_of_factors(ablation: Ablation) -> Iterator[str]:
    """Those without which alone the factors can be put together."""
    yield from _blocks(ablation)
    if ablation.has_design:
        for look in (_repeated, _zip, _when, _too_many):
            yield from look(ablation)


def _too_many(ablation: Ablation) -> Iterator[str]:
    """Told before they are made: a product of a few long lists never ends."""
    late = {key for group in ablation.zip for key in group[1:]}
    counts = [len(levels) for key, levels in ablation.factors.items() if key not in late]
    num = math.prod(counts)
    if ablation.design == "factorial" and num > MAX_ARMS:
        yield (
            f"factors: {' × '.join(map(str, counts))} levels make {num:,} arms; at most "
            f"{MAX_ARMS:,}. Take fewer levels, or design: fractional"
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
    for key in BLOCKS:
        if key in zipped or any(key in each for each in named):
            yield f"{key}: {key} is a block, not a factor: list its values under `blocks`"


def _metrics(ablation: Ablation) -> Iterator[str]:
    counts = Counter([ablation.metric.name, *(each.name for each in ablation.secondary)])
    for name, count in counts.items():
        if count > 1:
            first = "the metric that decides" if name == ablation.metric.name else "listed twice"
            yield f"secondary: {name} is {first}: keep it once"


def _tuning(ablation: Ablation) -> Iterator[str]:
    varied = {key for each in (ablation.factors, *ablation.arms.values()) for key in each}
    return faults_of_tuning(ablation.tune, ablation.tune_trials, varied, set(ablation.overrides))


def _repeated(ablation: Ablation) -> Iterator[str]:
    """Of zipped keys, each may repeat a value; two levels must not be one."""
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
    """The key and those it is zipped with."""
    return next((group for group in ablation.zip if key in group), (key,))


def _is_closed(other: str, condition: Changes, ablation: Ablation) -> bool:
    """Whether the condition holds all that `other` depends on."""
    return all(matches(condition, ablation.when.get(k, {})) for k in _group(other, ablation))


def _num_levels(other: str, condition: Changes, ablation: Ablation) -> int:
    """Levels of the factor of `other` that the condition allows."""
    group = [key for key in _group(other, ablation) if key in ablation.factors]
    # Unequal lengths are a fault of `zip`, told there.
    rows = zip(*(ablation.factors[key] for key in group), strict=False)
    asked = {key: condition[key] for key in group if key in condition}
    return sum(matches(dict(zip(group, row, strict=True)), asked) for row in rows)


def _no_factor(where: str, key: str, factors: Mapping[str, list[Any]]) -> Iterator[str]:
    if key not in factors and key not in BLOCKS:
        known = ", ".join(factors)
        yield f"{where}: {key} is no factor; factors: {known}.{did_you_mean(key, factors)}"


def _no_level(where: str, key: str, value: Any, factors: Mapping[str, list[Any]]) -> Iterator[str]:
    levels = factors.get(key, [value])
    if not any(is_same(level, value) for level in levels):
        yield f"{where}: {key} has no level {value!r}; its levels: {', '.join(map(repr, levels))}"
