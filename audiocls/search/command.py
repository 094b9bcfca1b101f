"""The command line of one trial of a sweep: W&B's macros, expanded as its agent does.

Each macro is a whole item of the command, `${envvar:NAME}` excepted, which may be part of one.
W&B leaves out an item that looks like a macro and is none; so does this.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")
ENVIRONMENT_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")

FORMS: dict[str, Callable[[str, Any], list[str]]] = {
    "args": lambda name, value: [f"--{name}={value}"],
    "args_no_equals": lambda name, value: [f"--{name}", str(value)],
    "args_no_hyphens": lambda name, value: [f"{name}={value}"],
    "args_no_boolean_flags": lambda name, value: _flag(name, value),
    "args_append_hydra": lambda name, value: [f"+{name}={value}"],
    "args_override_hydra": lambda name, value: [f"++{name}={value}"],
}
"""Macro → one parameter as items; a nested one is written as Python prints it."""
HANDS_ON = tuple(f"${{{name}}}" for name in (*FORMS, "args_json", "args_json_file"))
"""Macros that hand the parameters on."""


def arguments(
    command: Sequence[str],
    program: str,
    parameters: Mapping[str, Any],
    variables: Mapping[str, str],
    json_file: str,
) -> list[str]:
    """Return the program and its arguments; an empty `command` is W&B's default.

    `variables` is the environment, `json_file` the file for `${args_json_file}`.
    """
    macros = {
        "env": ["/usr/bin/env"],
        "interpreter": ["python"],
        "program": [program],
        "args_json": [as_json(parameters)],
        "args_json_file": [json_file],
        **{macro: _listed(form, parameters) for macro, form in FORMS.items()},
    }
    items: list[str] = []
    for item in (with_variables(item, variables) for item in command or DEFAULT_COMMAND):
        is_macro = item.startswith("${") and item.endswith("}")
        items += macros.get(item[2:-1], []) if is_macro else [item]
    return items


def as_json(parameters: Mapping[str, Any]) -> str:
    """Return the value of `${args_json}`, which is also the content of `${args_json_file}`."""
    return json.dumps(dict(parameters))


def with_variables(item: str, variables: Mapping[str, str]) -> str:
    """Replace each `${envvar:NAME}`; a variable that is not set becomes its name."""
    return ENVIRONMENT_VARIABLE.sub(lambda match: variables.get(match[1], match[1]), item)


def _listed(form: Callable[[str, Any], list[str]], parameters: Mapping[str, Any]) -> list[str]:
    return [item for name, value in parameters.items() for item in form(name, value)]


def _flag(name: str, value: Any) -> list[str]:
    """Return the bare name for true, nothing for false."""
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    return [f"--{name}={value}"]
