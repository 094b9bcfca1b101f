"""Parts of installed distributions, by entry points such as `audiocls.models`.

    [project.entry-points."audiocls.models"]
    passt = "audiocls_passt.nets:PaSST"

The name stands for the import string. Entry points are read when a name is unknown, and when parts
are listed; nothing is imported. Whoever installs a plugin trusts it: its names may come from a
server or a checkpoint, as those of shipped parts may.
"""

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from audiocls.errors import ConfigError
from audiocls.parts.modules import find

KINDS = (
    "models", "features", "data", "losses", "optimizers", "schedules", "augment", "metrics"
)  # fmt: skip
LIBRARY = "audiocls.library"
"""Group of packages that hold folders of ablations, sweeps, recipes and notebooks."""


@dataclass(frozen=True)
class Plugin:
    """One entry point."""

    kind: str
    name: str
    target: str
    """Its import string, or the package of a library."""
    distribution: str
    """Name and version."""
    licence: str


def plugins(kind: str) -> list[Plugin]:
    """Return the plugins of a kind, by name."""
    entries = entry_points(group=f"audiocls.{kind}")
    return sorted((_plugin(kind, each) for each in entries), key=lambda each: each.name)


def plugin_named(kind: str, name: str) -> Plugin | None:
    """Return the plugin of that name; raises `ConfigError` where two distributions have it."""
    matches = [each for each in plugins(kind) if each.name == name]
    if len({each.target for each in matches}) > 1:
        who = " and ".join(each.distribution for each in matches)
        fault = f"{name} is a name in {who}; name one of them by its module: "
        raise ConfigError(name, [fault + " or ".join(repr(each.target) for each in matches)])
    return matches[0] if matches else None


def library_folders() -> list[Path]:
    """Return the folders of packages with ablations and recipes; one that is broken has none."""
    folders = []
    for each in plugins("library"):
        try:
            folders.append(find(each.target).file.parent)
        except ConfigError:
            continue  # `doctor` says so
    return folders


def _plugin(kind: str, point: EntryPoint) -> Plugin:
    known = point.dist
    if known is None:
        return Plugin(kind, point.name, point.value, "", "")
    facts = known.metadata.json
    licence = str(facts.get("license_expression") or facts.get("license") or "")
    who = f"{known.name} {known.version}"
    return Plugin(kind, point.name, point.value, who, licence.partition("\n")[0])
