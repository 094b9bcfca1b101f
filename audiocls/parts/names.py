"""Names of own parts, `"package.module:attribute"`: their spelling, and where documents hold them.

>>> parse("my_pkg.nets:MyNet")
('my_pkg.nets', 'MyNet')
"""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.errors import ConfigError

IMPORT_STRING = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
TARGET = "_target_"
"""The key by which Hydra and its relatives name what to build."""
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
WANTED = 'wanted: "package.module:attribute", such as "my_pkg.nets:MyNet"'


def is_import_string(name: object) -> bool:
    """Whether a name means a part of a module; no shipped part and no plugin has a colon."""
    return isinstance(name, str) and ":" in name


def parse(name: str) -> tuple[str, str]:
    """Return module and attribute; raises `ConfigError` for another spelling.

    The attribute is one word: what a module has imported is reached through the module that
    defines it, and through no other.
    """
    if re.fullmatch(IMPORT_STRING, name, re.ASCII) is None:
        raise ConfigError(name, [f"got {name!r}; {_advice(name)}"])
    module, _, attribute = name.partition(":")
    if module.partition(".")[0] in sys.stdlib_module_names:
        top = module.partition(".")[0]
        fault = f"{top} is a module of Python's standard library, which holds no part; a file of "
        raise ConfigError(name, [f"{fault}your own needs another name than {top}.py"])
    return module, attribute


def _advice(name: str) -> str:
    if name.startswith((".", "/", "~")) or "/" in name or name.partition(":")[0].endswith(".py"):
        return f"a module goes by its name and not by its path; {WANTED}"
    if DOTTED.fullmatch(name.replace(":", ".")):
        return f"{WANTED}; here: {from_dotted(name.replace(':', '.'))!r}"
    return WANTED


def from_dotted(target: str) -> str:
    """Return a dotted path as an import string.

    >>> from_dotted("my_pkg.nets.MyNet")
    'my_pkg.nets:MyNet'
    """
    module, _, attribute = target.rpartition(".")
    return f"{module}:{attribute}"


def short_name(name: str) -> str:
    """Return an import string's attribute, or a plugin's name as it is."""
    return name.rpartition(":")[2]


def with_names(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys with `_target_: a.b.C` written as `name: a.b:C`.

    Keys of YAML that are no text stay, for the reader of the part to refuse.
    """
    return dict(_named(key, value) for key, value in flat.items())


def _named(key: Any, value: Any) -> tuple[Any, Any]:
    parent, _, leaf = str(key).rpartition(".")
    if leaf != TARGET:
        return key, _with_names_inside(value)
    is_dotted = isinstance(value, str) and DOTTED.fullmatch(value)
    return f"{parent}.name" if parent else "name", from_dotted(value) if is_dotted else value


def _with_names_inside(value: Any) -> Any:
    """Return a list of parts with names likewise."""
    if not isinstance(value, list | tuple):
        return value
    return [with_names(each) if isinstance(each, Mapping) else each for each in value]


def advice(*documents: Any) -> list[str]:
    """Return a sentence for each `_target_` in documents: it is read, and `name` is the spelling.

    >>> advice({"model": {"_target_": "my_pkg.nets.MyNet"}})
    ["_target_: my_pkg.nets.MyNet is read as name: 'my_pkg.nets:MyNet'; write it so"]
    """
    targets = (value for document in documents for value in _targets(document))
    return [
        f"{TARGET}: {value} is read as name: {from_dotted(value)!r}; write it so"
        for value in dict.fromkeys(targets)
    ]


def _targets(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if str(key).rpartition(".")[2] == TARGET and isinstance(value, str):
                yield value
            yield from _targets(value)
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from _targets(each)


def import_strings(*documents: Any) -> frozenset[str]:
    """Return every text in documents that is an import string, wherever it stands."""
    return frozenset(name for document in documents for name in _strings(document))


def _strings(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for value in (*tree.values(), *(from_dotted(target) for target in _targets(tree))):
            yield from _strings(value)
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from _strings(each)
    elif isinstance(tree, str) and re.fullmatch(IMPORT_STRING, tree, re.ASCII):
        yield tree
