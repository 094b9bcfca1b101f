"""Findings on `blocks`: which parameters repeat a setting, and are not searched."""

from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.errors import did_you_mean
from audiocls.search.check.finding import Finding, fault, got, listing, note
from audiocls.search.check.kinds import TEXT, check_keys
from audiocls.search.check.parameters import forms_of
from audiocls.yaml_file import Key

_BLOCKS = {"seed": TEXT, "fold": TEXT}
_REPEATS = {
    **dict.fromkeys(("seed", "random_seed", "random_state", "rng_seed"), "seed"),
    **dict.fromkeys(("fold", "test_fold", "val_fold", "cv_fold", "fold_idx"), "fold"),
}
"""Last parts of parameters' names that are seeds and folds wherever they are found."""


def check_blocks(given: Any) -> Iterator[Finding]:
    """Check the mapping by itself."""
    yield from check_keys(given, ("blocks",), "the blocks", _BLOCKS)
    if isinstance(given, Mapping) and len({*map(str, given.values())}) < len(given):
        yield fault(("blocks",), f"{got(given)}; allowed: a parameter of its own for each")


def check_repeats(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that blocks are parameters, and note parameters that look like blocks."""
    known = {_dotted(key): key for key, _ in forms_of(document.get("parameters"))}
    blocks = document.get("blocks")
    named = blocks if isinstance(blocks, Mapping) else {}
    for block, name in named.items():
        if not isinstance(name, str):
            continue
        if name not in known:
            hint = did_you_mean(name, known)
            yield fault(("blocks", block), f"{got(name)}; allowed: {listing(known)}.{hint}")
        else:
            yield from _values(document, known[name], block)
    is_ours = "audiocls" in str(document.get("command", ""))
    for name, key in known.items() if "blocks" not in document and not is_ours else ():
        block = _REPEATS.get(name.rpartition(".")[2].lower())
        if block is not None and "value" not in _at(document, key):
            yield note(key, _advice(block, name))


def _advice(block: str, name: str) -> str:
    return (
        "is searched and ranked like any other parameter; if it repeats a setting, say so: "
        f"blocks: {{{block}: {name}}}, and settings are ranked by their means"
    )


def _values(document: Mapping[str, Any], key: Key, block: str) -> Iterator[Finding]:
    """Check that a block is a whole number in every trial."""
    parameter = _at(document, key)
    listed = parameter.get("values", [parameter["value"]] if "value" in parameter else [])
    bounds = [parameter[name] for name in ("min", "max") if name in parameter]
    odd = [value for value in (*listed, *bounds) if not _is_whole(value)]
    if odd or not (listed or bounds):
        yield fault(key, f"{got(odd[0] if odd else None)}; a {block} is a whole number from 0 on")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _at(document: Mapping[str, Any], key: Key) -> Mapping[str, Any]:
    value: Any = document
    for name in key:
        value = value[name]
    return value if isinstance(value, Mapping) else {}


def _dotted(key: Key) -> str:
    """Return the dotted name of a parameter.

    >>> _dotted(("parameters", "data", "parameters", "fold"))
    'data.fold'
    """
    return ".".join(str(name) for name in key[1::2])
