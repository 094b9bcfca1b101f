"""Arms that are one and the same: refused by everything that plans, launches or registers them."""

from collections.abc import Mapping

from pydantic import BaseModel

from audiocls.config import Config, SharedParts
from audiocls.design import Plan
from audiocls.errors import ConfigError
from audiocls.formatting import assignment
from audiocls.studies.runnable import Configs

Text = tuple[str, ...]


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
    alike: dict[Text, list[str]] = {}
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


def _text_of(config: Config, known: dict[int, str]) -> Text:
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
