"""Findings on the command of a sweep: macros that W&B would not fill in."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.errors import did_you_mean
from audiocls.search.check.finding import Finding, got, listing, note
from audiocls.search.command import DEFAULT_COMMAND, ENVIRONMENT_VARIABLE, FORMS

MACROS = tuple(
    f"${{{name}}}"
    for name in ("env", "interpreter", "program", *FORMS, "args_json", "args_json_file")
)
"""Each a whole item of the list; `${envvar:NAME}` may also be part of one."""

_SPELLED_OUT = tuple(f"${{{name}}}" for name in FORMS)
"""Each parameter an item or two of its own."""

_MACRO = re.compile(r"\$\{[^}]*\}")


def check_command(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find unknown macros in a command that is a list, or problems of the default command."""
    command = document.get("command") or list(DEFAULT_COMMAND)
    if not isinstance(command, list):
        return
    if "${program}" in command and "program" not in document:
        advice = "give a program, or a command without ${program}"
        yield note(("program",), f"missing: only wandb.agent(…, function=…) can run this; {advice}")
    for position, item in enumerate(command):
        yield from _item(item, position)
    if {"program", "command"} & document.keys() and any(item in _SPELLED_OUT for item in command):
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
    rest = ENVIRONMENT_VARIABLE.sub("", str(item))
    if rest in MACROS:
        return
    if " " in str(item).strip() and str(item).startswith("-"):
        advice = f"write {listing(repr(word) for word in str(item).split())} for several"
        yield note(key, f"{item!r} has blanks and reaches the program as one argument; {advice}")
    if rest.startswith("${") and rest.endswith("}"):
        hint = did_you_mean(rest, MACROS)
        yield note(key, f"W&B leaves out {rest}.{hint} Known: {listing(MACROS)}, ${{envvar:NAME}}")
    elif macro := _MACRO.search(rest):
        advice = "a macro is a whole item of the list, ${envvar:NAME} with a name in capitals apart"
        yield note(key, f"{macro.group()} stays as it is inside {rest!r}; {advice}")
