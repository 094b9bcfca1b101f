"""Files of studies that were launched before their kind and their request were stored.

The only place where either is inferred: from the command line that those files hold as text.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from audiocls.store.request import NOISE_ENDING, TUNING_ENDING, Kind, Request

FIELDS = {
    "--study": "study",
    "--max-pairs": "max_pairs",
    "--recipe": "recipe",
    "--seeds": "seeds",
    "--folds": "folds",
    "--arms": "arms",
}
"""Option with a value → field of a request."""


def with_kind(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of an early `study.yaml` with its kind, and its request where known."""
    words = shlex.split(mapping.get("command", ""))
    kind, request = _kind_of(mapping, words), _request_of(words)
    ending = {"noise": NOISE_ENDING, "tuning": TUNING_ENDING}.get(kind, "")
    of = {"of": str(mapping["name"]).removesuffix(ending)} if ending else {}
    known = {"request": request.to_mapping()} if request else {}
    return {**mapping, "kind": kind, **of, **known}


def _kind_of(mapping: Mapping[str, Any], words: Sequence[str]) -> Kind:
    if "sweep" in mapping:
        return "search"
    if mapping.get("design") == "tuning":
        return "tuning"
    if words[:2] == ["audiocls", "noise"]:
        return "noise"
    return "import" if words[:3] == ["audiocls", "sweep", "import"] else "ablation"


def _request_of(words: Sequence[str]) -> Request | None:
    """Return the request of such a command line; nothing where it is not an audiocls command."""
    match list(words):
        case ["audiocls", "train", "--recipe", recipe, *assignments]:
            return Request("train", recipe=recipe, assignments=tuple(assignments))
        case ["audiocls", "noise", name, *rest]:
            return Request("noise", name, **_options_of(rest))
        case ["audiocls", "sweep", "launch", name, *rest]:
            return Request("sweep launch", name, **_options_of(rest))
        case ["audiocls", "sweep", "agent", name]:
            return Request("sweep agent", name)
        case ["audiocls", "sweep", "import", name, *rest]:
            pairs = dict(zip(rest[::2], rest[1::2], strict=False))
            return Request("sweep import", name, options=pairs)
    return None


def _options_of(words: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a request that options stand for."""
    fields: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word == "--until-decided":
            fields["is_until_decided"] = True
        elif word == "--set":
            fields["assignments"] = (*fields.get("assignments", ()), next(rest, ""))
        elif word in FIELDS:
            value = next(rest, "")
            fields[FIELDS[word]] = int(value) if word == "--max-pairs" else value
    return fields
