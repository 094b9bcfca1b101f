"""Findings on the command of a sweep: macros that W&B would not fill in."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.errors import nearest
from audiocls.search.check.finding import Finding, got, listing, note

MACROS = (
    "${env}",
    "${interpreter}",
    "${program}",
    "${args}",
    "${args_no_equals}",
    "${args_no_hyphens}",
    "${args_no_boolean_flags}",
    "${args_append_hydra}",
    "${args_override_hydra}",
    "${args_json}",
    "${args_json_file}",
)
"""Each a whole item of the list; `${envvar:NAME}` may also be part of one."""

_ARGUMENTS = tuple(macro for macro in MACROS if macro.startswith("${args") and "json" not in macro)
"""Each parameter a word or two of its own."""

_ENVVAR = re.compile(r"\$\{envvar:[A-Z0-9_]*\}")
_MACRO = re.compile(r"\$\{[^}]*\}")


def check_command(document: Mapping[str, Any]) -> Iterator[Finding]:
    """What is to be said of a command that is a list, and of one that is not given."""
    command = document.get("command") or ["${env}", "${interpreter}", "${program}", "${args}"]
    if not isinstance(command, list):
        return
    if "${program}" in command and "program" not in document:
        advice = "give a program, or a command without ${program}"
        yield note(("program",), f"missing: only wandb.agent(…, function=…) can run this; {advice}")
    for position, item in enumerate(command):
        yield from _item(item, position)
    if {"program", "command"} & document.keys() and any(item in _ARGUMENTS for item in command):
        yield from _nested(document.get("parameters"))


def _nested(parameters: Any) -> Iterator[Finding]:
    for name, parameter in parameters.items() if isinstance(parameters, Mapping) else ():
        if isinstance(parameter, Mapping) and "parameters" in parameter:
            spelled = f"reaches the command line as a Python mapping, {name}={{…}}"
            advice = "read wandb.config instead, or hand on ${args_json_file}"
            yield note(("parameters", name), f"{spelled}; {advice}")


def _item(item: Any, position: int) -> Iterator[Finding]:
    key = ("command", position)
    if isinstance(item, list | Mapping) or item is None:
        yield note(key, f"{got(item)}, handed on as {str(item)!r}; wanted: a word")
        return
    rest = _ENVVAR.sub("", str(item))
    if rest in MACROS:
        return
    if _MACRO.fullmatch(rest):
        hint = nearest(rest, MACROS)
        yield note(key, f"W&B leaves out {rest}.{hint} Known: {listing(MACROS)}, ${{envvar:NAME}}")
    elif found := _MACRO.search(rest):
        advice = "a macro is a whole item of the list, ${envvar:NAME} with a name in capitals apart"
        yield note(key, f"{found.group()} stays as it is inside {rest!r}; {advice}")
