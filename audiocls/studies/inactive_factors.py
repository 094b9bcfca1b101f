"""Arms that differ only in options which other options switch off: rejected before launch."""

import json
from collections.abc import Mapping

from audiocls.config import Config, identity_config, unused_options, without_unused
from audiocls.dotted import flatten
from audiocls.errors import ConfigError


def check_no_inactive_factors(name: str, configs: Mapping[str, Config]) -> None:
    """Raise `ConfigError` with every arm whose changes have no effect, and why."""
    first: dict[str, str] = {}
    faults = []
    for arm, config in configs.items():
        used = json.dumps(without_unused(identity_config(config), config), sort_keys=True)
        twin = first.setdefault(used, arm)
        if twin != arm and (odd := _differing(config, configs[twin])):
            faults.append(
                f"arm {arm!r} would train as arm {twin!r} does: {'; '.join(odd)}. Leave one of "
                "the two out"
            )
    if faults:
        raise ConfigError(name, faults)


def _differing(config: Config, twin: Config) -> list[str]:
    mine, theirs = (flatten(identity_config(each)) for each in (config, twin))
    unused = unused_options(config)
    return [
        f"{key} has no effect, as {why}"
        for key, why in unused.items()
        if mine.get(key) != theirs.get(key)
    ]
