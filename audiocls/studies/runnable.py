"""Whether a study can run: the one check of `plan` and `launch`, before anything is trained."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from audiocls.audio.check.obstacles import require_trainable
from audiocls.audio.clips import FURTHER, ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.config import Config, SharedParts
from audiocls.design import Plan
from audiocls.design.ablation import on_test_clips
from audiocls.errors import ConfigError, did_you_mean
from audiocls.execution.content import data_notes, require_usable, used_parts
from audiocls.formatting import assignment

Configs = dict[str, Config]
"""Arm → its configuration, on the recipe's own seed and fold."""


def require_runnable(
    plan: Plan, configs: Configs, tables: Mapping[DataSet, ClipTable | None]
) -> None:
    """Refuse what no trial could train on, before any recording is read.

    Data whose table is none is not there to be examined.

    Raises `DataError` for data that cannot be split or has one class, `ConfigError` or `UsageError`
    for a checkpoint or a teacher that does not suit.
    """
    folds = sorted(plan.folds)
    for data, table in tables.items():
        if table is not None:
            require_trainable(table, folds, data.name, data.validation)
    _require_test_sets(plan, tables)
    for config in {used_parts(config): config for config in configs.values()}.values():
        table = tables[config.data]
        if table is not None:
            require_usable(config, table.labels)


def _require_test_sets(plan: Plan, tables: Mapping[DataSet, ClipTable | None]) -> None:
    """Raise `ConfigError` for secondary metrics of test clips that some data does not have."""
    wanted = {on_test_clips(each.name)[0] for each in plan.ablation.secondary} - {"", "test"}
    faults = []
    for data, table in tables.items() if wanted else ():
        known = {clip.split for clip in table.clips} if table else wanted
        there = sorted(name for name in known if name and FURTHER.fullmatch(name))
        for name in sorted(wanted.difference(there)):
            has = f"{data.name} has {', '.join(there) or 'no test clips outside the test split'}"
            hint = did_you_mean(name, there)
            faults.append(f"secondary: {name}/…: there are no such test clips; {has}.{hint}")
    if faults:
        raise ConfigError(plan.ablation.name, faults)


def tables_of(configs: Configs, cache: Path) -> dict[DataSet, ClipTable]:
    """Return the clips of the arms' data."""
    every = {config.data: None for config in configs.values()}
    return {data: data.table(cache) for data in every}


def readable_tables(configs: Configs, cache: Path) -> dict[DataSet, ClipTable | None]:
    """Return the clips of the arms' data; none for data that has no root yet.

    Generated data has nothing to examine but its number of classes, where a budget asks for that,
    and its number of clips, where features of each take long.
    """
    tables: dict[DataSet, ClipTable | None] = {}
    for config in configs.values():
        is_generated = config.data.name == "synthetic"
        counts_matter = config.budget.is_limited or config.features.name == "encodec"
        is_needed = counts_matter if is_generated else config.data.root is not None
        if tables.get(config.data) is None:
            tables[config.data] = config.data.table(cache) if is_needed else None
    return tables


def notes_on_data(
    plan: Plan,
    configs: Configs,
    tables: Mapping[DataSet, ClipTable],
    fingerprints: Mapping[str, str],
    cache: Path,
) -> list[str]:
    """Return what is odd about the data of all arms; raise `DataError` for unusable data."""
    folds = sorted(plan.folds)
    arms = {config.data: arm for arm, config in configs.items()}
    return [
        note
        for data, arm in arms.items()
        for note in data_notes(configs[arm], tables[data], fingerprints[arm], folds, cache)
    ]


def check_arms_differ(plan: Plan, identities: Mapping[str, str]) -> None:
    """Raise `ConfigError` for arms of one identity, which would be trained twice."""
    first: dict[str, str] = {}
    twins = [
        _sentence(plan, arm, first[identity])
        for arm, identity in identities.items()
        if first.setdefault(identity, arm) != arm
    ]
    if twins:
        ablation = plan.ablation
        recipe = "" if ablation.is_program else f" (recipe {ablation.recipe})"
        raise ConfigError(f"{ablation.name}{recipe}", twins)


def check_configs_differ(plan: Plan, configs: Configs) -> None:
    """Raise `ConfigError` for arms whose configurations are the same, before any data is read.

    Arms whose data lies in different places may still turn out to be the same.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    texts: dict[int, str] = {}
    for arm, config in configs.items():
        alike.setdefault(_text_of(config, texts), []).append(arm)
    parts = SharedParts()
    identities = {
        arm: parts.trial_ids(parts.identity_config(configs[arm]), str(number), [{}])[0]
        for number, arms in enumerate(alike.values())
        for arm in (arms if len(arms) > 1 else ())
    }
    check_arms_differ(plan, identities)


def _text_of(config: Config, known: dict[int, str]) -> tuple[str, ...]:
    """Return what is the same for equal configurations: quicker than their ids, and not as exact.

    Args:
        config: of an arm; arms share most parts.
        known: the text of each part, by its `id`.
    """
    texts = []
    for name, part in config:
        if name == "device":  # a result does not depend on it
            continue
        if id(part) not in known:
            known[id(part)] = part.model_dump_json() if isinstance(part, BaseModel) else repr(part)
        texts.append(known[id(part)])
    return tuple(texts)


def _sentence(plan: Plan, arm: str, other: str) -> str:
    named = ("`overrides`",) if plan.ablation.is_program else ("`recipe`", "`overrides`")
    changes = _assigned(plan, other)
    has = f"{changes} comes to as well" if changes else f"{' or '.join(named)} set already"
    return (
        f"arm {arm!r} is the same as arm {other!r}: got {_assigned(plan, arm) or 'no change'}, "
        f"which {has}; allowed: values that no other arm has. Remove it, or change its value"
    )


def _assigned(plan: Plan, arm: str) -> str:
    return ", ".join(assignment(*change) for change in plan.arms[arm].items())
