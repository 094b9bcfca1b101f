"""`OwnPart`, the options of an own part of any kind."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import (
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)

from audiocls.errors import ConfigError
from audiocls.options import Options
from audiocls.parts.annotations import converted
from audiocls.parts.code import code_of
from audiocls.parts.loading import load
from audiocls.parts.names import is_import_string, parse
from audiocls.parts.origin import Origin
from audiocls.parts.plugins import plugin_named
from audiocls.parts.signature import Signature, definition_of, signature_of

OURS = ("name", "code")
"""Fields that are never passed on."""


@dataclass(frozen=True)
class Call:
    """How a part of one kind is called."""

    kind: str
    """As in `plugins.KINDS`."""
    noun: str
    """For messages: `model`."""
    given: tuple[str, ...]
    """Parameters that every call passes."""
    needed: tuple[tuple[str, ...], ...] = ()
    """Of these, those by name: one of each group must be among the parameters."""
    num_positional: int = 0
    """Of these, those that are passed first and without a name."""
    makes: bool = False
    """Whether a class is called with them, too, and not its objects."""

    def taken_by(self, signature: Signature) -> list[str]:
        """Return the parameters that the call itself fills, by the callable's own names."""
        is_called = self.makes or not signature.is_class
        return [*self.given, *(signature.names[: self.num_positional] if is_called else ())]

    def fault_of(self, signature: Signature) -> str:
        """Return what a callable lacks to be called so; empty if nothing."""
        is_called = self.makes or not signature.is_class
        if is_called and not signature.has_rest and len(signature.names) < self.num_positional:
            return (
                f"takes {len(signature.names)} parameters; it is called ({', '.join(self.given)})"
            )
        is_options = signature.is_class and not signature.names
        for group in self.needed:
            if not is_options and not any(signature.takes(each) for each in group):
                names = " or ".join(group)
                return f"takes no {names}, which every {self.noun} is called with"
        return ""


class OwnPart(Options):
    """A part by import string, or by a plugin's name; further keys are options of its callable.

    `code` identifies the module's code and is filled in when a recipe is read: an edit makes
    another trial, and undoing it finds the former one again.
    """

    model_config = ConfigDict(extra="allow")

    CALL: ClassVar[Call]

    name: str
    """`module:attribute`, or the name that a plugin gives it."""
    code: str = ""
    """Identifies the code of the part's module; filled in."""

    _refusal: str = PrivateAttr(default="was made without a check of who names it")
    """Why its module may not be run; empty if it may."""
    _is_foreign: bool = PrivateAttr(default=True)
    """Whether somebody else names it, who may name only what its package defines."""

    @model_validator(mode="wrap")
    @classmethod
    def _read(
        cls, given: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Check who named the part before anything else; then module, attribute and options."""
        given = {"name": given} if isinstance(given, str) else given
        if not isinstance(given, Mapping):
            return handler(given)
        origin = info.context if isinstance(info.context, Origin) else Origin()
        name = str(given.get("name", ""))
        try:
            refusal = origin.refusal(name) if is_import_string(name) else ""
            is_foreign = is_import_string(name) and origin.is_foreign_to(name)
            is_kept = origin.keeps_code
            known = dict(given) if is_kept else cls._as_now(name, given, refusal, is_foreign)
        except ConfigError as error:
            raise ValueError("; ".join(error.faults)) from error
        made = handler(known)
        made._refusal, made._is_foreign = refusal, is_foreign
        return made

    @classmethod
    def _as_now(
        cls, name: str, given: Mapping[str, Any], refusal: str, is_foreign: bool
    ) -> dict[str, Any]:
        """Return what is given with its module's code as it is now, once all of it is checked."""
        if refusal:
            raise ConfigError(name, [refusal])
        target = cls.target_of(name)
        if is_foreign:
            require_defined(target)
        signature = signature_of(target)
        if signature is not None:
            options = {key: value for key, value in given.items() if key not in cls.model_fields}
            ours = [field for field in cls.model_fields if field not in OURS]
            taken = [*cls.CALL.taken_by(signature), *ours]
            fault = cls.CALL.fault_of(signature)
            faults = [*filter(None, [fault]), *signature.faults(options, taken)]
            if faults:
                raise ConfigError(name, [f"{name}: {'; '.join(faults)}"])
        return {**given, "code": code_of(parse(target)[0])}

    @classmethod
    def target_of(cls, name: str) -> str:
        """Return the import string of a name; raises `ConfigError` for no plugin's name."""
        if is_import_string(name):
            return name
        plugin = plugin_named(cls.CALL.kind, name)
        if plugin is None:
            fault = f"no installed plugin has the {cls.CALL.noun} {name!r}; audiocls parts list"
            raise ConfigError(name, [f"{fault} {cls.CALL.kind} lists those available"])
        return plugin.target

    @property
    def what(self) -> str:
        """What it is, for messages: `model my_pkg.nets:MyNet`."""
        return f"{self.CALL.noun} {self.name}"

    @property
    def module(self) -> str:
        """The module that is imported for it."""
        return parse(self.target_of(self.name))[0]

    def load(self) -> Callable[..., Any]:
        """Import the part; raises `ConfigError` where that fails, or where it may not be run."""
        self.require_trusted()
        return load(self.target_of(self.name))

    def require_trusted(self) -> None:
        """Raise `ConfigError` if a checkpoint names the part and the user does not trust it."""
        if self._refusal:
            raise ConfigError(self.what, [self._refusal])
        if self._is_foreign:
            require_defined(self.target_of(self.name))

    def arguments(self, part: Callable[..., Any]) -> dict[str, Any]:
        """Return the options as keywords, with those of our own keys that the part names too."""
        taken, annotations = parameters_of(part), self._annotations()
        ours = (field for field in type(self).model_fields if field not in OURS)
        shared = {name: getattr(self, name) for name in ours if name in taken}
        options = (self.model_extra or {}).items()
        return shared | {name: converted(v, annotations.get(name, "")) for name, v in options}

    def _annotations(self) -> dict[str, str]:
        signature = signature_of(self.target_of(self.name))
        known = signature.parameters if signature else ()
        return {each.name: each.annotation for each in known}

    def function(self) -> Callable[..., Any]:
        """Return the part as a function of what its kind is called with: made once a process."""
        return _function(self)

    def is_changed(self) -> bool:
        """Whether the module's code is another than that of `code`; it must be there."""
        return code_of(self.module) != self.code


def require_defined(name: str) -> None:
    """Raise `ConfigError` unless the package itself defines what somebody else names in it.

    A module that is trusted imports others, and by its name any of their functions could be called.
    """
    if definition_of(name) is None:
        module, attribute = parse(name)
        fault = f"{module} does not define {attribute} itself; a server or a checkpoint may name "
        raise ConfigError(name, [f"{fault}only classes and functions that a trusted package does"])


@functools.lru_cache(maxsize=64)
def _function(own: OwnPart) -> Callable[..., Any]:
    """Return an object of a class with its options, or a function with them."""
    part = own.load()
    arguments = own.arguments(part)
    made = part(**arguments) if isinstance(part, type) else functools.partial(part, **arguments)
    if not callable(made):
        fault = f"its objects cannot be called; wanted: __call__({', '.join(own.CALL.given)})"
        raise ConfigError(own.what, [fault])
    return made


def is_options(part: Callable[..., Any]) -> bool:
    """Whether a part is itself options with a `build`, as shipped parts are."""
    return isinstance(part, type) and issubclass(part, Options)


def parameters_of(part: Callable[..., Any]) -> list[str]:
    """Return the names of a callable's parameters; none where it does not tell."""
    try:
        return list(inspect.signature(part).parameters)
    except (TypeError, ValueError):
        return []


def own_parts(options: Options, path: str = "") -> Iterator[tuple[str, OwnPart]]:
    """Yield dotted key and part for each own part of a configuration."""
    for name in type(options).model_fields:
        yield from _own_parts(getattr(options, name), f"{path}{name}")


def has_own_parts(value: object) -> bool:
    """Whether a part of a configuration is an own part, or holds one."""
    return any(_own_parts(value, ""))


def _own_parts(value: object, path: str) -> Iterator[tuple[str, OwnPart]]:
    if isinstance(value, OwnPart):
        yield path, value
    elif isinstance(value, Options):
        yield from own_parts(value, f"{path}.")
    elif isinstance(value, tuple):
        for each in value:
            yield from _own_parts(each, path)
