"""`parts list`: every part by kind, shipped or of a plugin, without importing any plugin."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import audiocls
from audiocls.audio.augment import Mix, Transform
from audiocls.audio.datasets import DataSet
from audiocls.audio.features import Features
from audiocls.config.training import METRICS, Loss
from audiocls.encoders.source import downloaded
from audiocls.errors import ConfigError, UsageError, did_you_mean
from audiocls.models import Model
from audiocls.optim import Optim, Schedule
from audiocls.options import Options
from audiocls.parts.plugins import KINDS, Plugin, plugins
from audiocls.parts.signature import signature_of

UNIONS: dict[str, Any] = {
    "models": Model,
    "features": Features,
    "data": DataSet,
    "optimizers": Optim,
    "schedules": Schedule,
}
NAMES: dict[str, Any] = {"augment": (Transform, Mix), "losses": (Loss,)}
LICENCE = "MIT"
"""Of all shipped code."""


@dataclass(frozen=True)
class Listed:
    """One part, as people choose it."""

    kind: str
    name: str
    origin: str
    """`audiocls`, or the distribution that it is of."""
    licence: str
    summary: str
    """One line; of a plugin that cannot be read, why."""


def parts(kind: str | None = None) -> list[Listed]:
    """Return the parts of a kind, or all; raises `UsageError` for another kind."""
    if kind is not None and kind not in KINDS:
        allowed = f"parts list: got {kind!r}; allowed: {', '.join(KINDS)}."
        raise UsageError(allowed + did_you_mean(kind, KINDS))
    kinds = KINDS if kind is None else (kind,)
    return [part for each in kinds for part in (*_shipped(each), *_plugins(each), *_here(each))]


def _shipped(kind: str) -> Iterator[Listed]:
    for part in _members(UNIONS.get(kind)):
        for name in get_args(part.model_fields["name"].annotation):
            yield _listed(kind, name, (inspect.getdoc(part) or "").partition("\n")[0])
    for words in NAMES.get(kind, ()):
        for name in _words(words):
            yield _listed(kind, name)
    for name in METRICS if kind == "metrics" else ():
        yield _listed(kind, name)


def _here(kind: str) -> Iterator[Listed]:
    """Yield the encoders that are downloaded, under their own licences."""
    for source in downloaded() if kind == "features" else ():
        licence = source.licence() or "none named"
        yield Listed(kind, source.name, "Hugging Face Hub", licence, "A pretrained encoder, here.")


def _listed(kind: str, name: str, summary: str = "") -> Listed:
    return Listed(kind, name, f"audiocls {audiocls.__version__}", LICENCE, summary)


def _members(union: Any) -> Iterator[type[Options]]:
    for each in get_args(union):
        if isinstance(each, type) and issubclass(each, Options):
            yield each
        else:
            yield from _members(each)


def _words(literal: Any) -> Iterator[str]:
    for each in get_args(literal):
        yield from [each] if isinstance(each, str) else _words(each)


def _plugins(kind: str) -> Iterator[Listed]:
    for plugin in plugins(kind):
        yield Listed(kind, plugin.name, plugin.distribution, plugin.licence, _summary(plugin))


def _summary(plugin: Plugin) -> str:
    try:
        signature = signature_of(plugin.target)
    except ConfigError as error:
        return f"cannot be read: {'; '.join(error.faults)}"
    return signature.summary if signature else plugin.target
