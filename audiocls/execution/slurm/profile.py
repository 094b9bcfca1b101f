"""`SlurmProfile`: what each task asks of the cluster, and what prepares it.

A YAML file of `sbatch` options by their long names, with two keys of our own: `setup` (lines of
bash before the launch) and `python`. All values are read as they are written: to YAML `4:00:00` is
a number.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiocls import yaml_file
from audiocls.errors import ConfigError

OPTION = re.compile(r"[a-z][a-z0-9-]*")
GPUS = ("gpus-per-task", "gpus", "gpus-per-node", "gres", "tres-per-task")
"""Options that give a task its GPUs, of which the first counts."""
LIMIT = re.compile(
    r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?", re.ASCII
)
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
WARNING = re.compile(r"(?:B:)?(?:SIG)?TERM@(\d{1,5})")
"""The one signal that a launch takes for a request to stop, and how early SLURM sends it."""
WARNING_S = 60
"""Seconds between the signal and the time limit, if the profile does not say."""

_TASKS = "each task is one launch on one node, and --workers says how many there are"
_LOGS = "logs are kept in the study's folder, in slurm/"
_QUEUE = "a task that is preempted or out of time goes back into the queue by itself"
_CLUSTER = "squeue and scancel have to ask it too: name it for all of them by SLURM_CLUSTERS"
_SUBMITTED = "audiocls submits the script itself"
OURS = {
    **dict.fromkeys(("array", "ntasks", "ntasks-per-node", "nodes"), _TASKS),
    **dict.fromkeys(("output", "error", "open-mode", "input"), _LOGS),
    **dict.fromkeys(("requeue", "no-requeue"), _QUEUE),
    **dict.fromkeys(("parsable", "quiet", "test-only", "wait", "wrap", "help"), _SUBMITTED),
    "chdir": "tasks run in the folder in which the study is launched",
    **dict.fromkeys(("clusters", "cluster"), _CLUSTER),
}
"""Options that the script needs for itself, and why."""


@dataclass(frozen=True)
class SlurmProfile:
    """What each task asks of the cluster, and what prepares it."""

    options: Mapping[str, str] = field(default_factory=dict)
    """Long name of an option of `sbatch` → its value; empty for one that has none."""
    setup: tuple[str, ...] = ()
    """Lines of bash that are run before the launch, such as `module load cuda`."""
    python: str = sys.executable
    warning_s: int = WARNING_S
    """Seconds before the time limit at which a task is asked to stop."""


def read_profile(file: Path | None, changes: Iterable[str]) -> SlurmProfile:
    """Return the profile in a file, if one is given, with changes such as `time=4:00:00`.

    Raises `ConfigError` with all faults of the file, or of the changes.
    """
    given = yaml_file.read_texts(file) if file else {}
    profile = _checked(given, str(file)) if file else SlurmProfile()
    if changed := dict(_split(changes)):
        named = {_option_name(name) for name in changed}
        kept = {name: value for name, value in given.items() if _option_name(name) not in named}
        _checked(changed, "--slurm")
        profile = _checked({**kept, **changed}, "--slurm")
    return profile


def num_gpus(options: Mapping[str, str]) -> int:
    """Return how many GPUs a task gets.

    >>> options = {"gpus": "a100:3"}, {"gres": "fs:4,gpu:a100:2"}, {"gres": "gpu"}
    >>> [num_gpus(each) for each in (*options, {"tres-per-task": "cpu:8,gres/gpu:4"})]
    [3, 2, 1, 4]
    """
    for name in GPUS:
        for part in options.get(name, "").split(","):
            words = part.removeprefix("gres/").removeprefix("gres:").split(":")
            if part and (name.startswith("gpus") or words[0] == "gpu"):
                return int(words[-1]) if words[-1].isdecimal() else 1
    return 0


def hours_of(limit: str) -> float | None:
    """Return a time limit in hours, as `sbatch` reads it; none for what has no end.

    >>> hours_of("90"), hours_of("4:00:00"), hours_of("1-12"), hours_of("30:00")
    (1.5, 4.0, 36.0, 0.5)
    """
    if (match := LIMIT.fullmatch(limit)) is None:
        return None
    days, first, second, third = (int(match[key] or 0) for key in LIMIT.groupindex)
    if match["days"] is not None:
        return 24 * days + first + second / 60 + third / 3600
    if match["third"] is not None:
        return first + second / 60 + third / 3600
    return first / 60 + second / 3600


def _split(changes: Iterable[str]) -> Iterable[tuple[str, str]]:
    for change in changes:
        name, is_there, value = change.partition("=")
        yield name.strip(), value.strip() if is_there else "true"


def _option_name(key: object) -> str:
    """Return the name of an option, which Python's keywords have with underscores."""
    return str(key).replace("_", "-")


def _checked(given: Mapping[str, Any], where: str) -> SlurmProfile:
    """Return the profile; raise `ConfigError` with every fault."""
    options, settings, faults = dict[str, str](), dict[str, Any](), list[str]()
    for key, value in given.items():
        name = _option_name(key)
        try:
            if name == "setup":
                settings["setup"] = _lines(value)
            elif name == "python":
                settings["python"] = _python(value)
            elif name == "signal":
                settings["warning_s"] = _warning_s(value)
            elif (text := _value(name, value)) is not None:
                options[name] = text
        except ValueError as error:
            faults.append(f"{key}: {error}")
    if faults:
        raise ConfigError(where, faults)
    return SlurmProfile(options, **settings)


def _value(name: str, value: Any) -> str | None:
    """Return the value of an option, empty for one without; none for one that is switched off."""
    if name in OURS:
        raise ValueError(f"is not yours to set: {OURS[name]}; remove it")
    if not OPTION.fullmatch(name):
        raise ValueError("is no option; wanted: a long name of sbatch's, such as partition or mem")
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    if text.lower() in ("true", "false"):
        return "" if text.lower() == "true" else None
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        got = "nothing" if value in ("", None) else f"{value!r}"
        raise ValueError(f"got {got}; wanted: a value as sbatch takes it, or true")
    if UNPRINTABLE.search(value):
        raise ValueError(f"got {value!r}; a value has one line")
    return value


def _python(value: Any) -> str:
    """Return the interpreter of the tasks: a path, from `~` too, or a name that `setup` brings."""
    if "$" in (text := _text(value)):
        raise ValueError(f"got {text!r}; wanted: a path, or a name on the PATH that setup makes")
    return str(Path(text).expanduser()) if text.startswith("~") else text


def _lines(value: Any) -> tuple[str, ...]:
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError(f"got {value!r}; wanted: lines of bash, such as ['module load cuda']")
    return tuple(line for text in lines for line in text.splitlines())


def _warning_s(value: Any) -> int:
    match = WARNING.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"got {value!r}; allowed: TERM@SECONDS, so long before the time limit are trials "
            "stopped after their epoch"
        )
    return int(match[1])
