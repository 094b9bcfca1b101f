"""Sweeps of native trials: those whose command is `audiocls train`.

Persistent workers train them, instead of one process for each trial; any other command is a program
of the user's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LAUNCHERS = (["audiocls"], ["python", "-m", "audiocls"], ["${interpreter}", "-m", "audiocls"])
SOURCES = ("--recipe", "--config", "--ablation")


@dataclass(frozen=True)
class NativeCommand:
    """The arguments of `audiocls train` besides the swept parameters."""

    option: str
    """`--recipe`, `--config` or `--ablation`."""
    source: str
    """The name or path that follows it."""
    assignments: tuple[str, ...]
    """`key=value`, the same in every trial."""


def parse_native_command(command: Sequence[str]) -> NativeCommand | None:
    """Return the arguments of `audiocls train`, or None for any other command.

    >>> parse_native_command(["audiocls", "train", "--recipe", "r", "${args_no_hyphens}"])
    NativeCommand(option='--recipe', source='r', assignments=())
    """
    words = [word for word in command if word != "${env}"]
    launcher = next((known for known in LAUNCHERS if words[: len(known)] == known), None)
    if launcher is None:
        return None
    verb, *rest = words[len(launcher) :] or [""]
    is_whole = verb == "train" and len(rest) >= 3 and rest[-1] == "${args_no_hyphens}"
    return _of_train(rest[:-1]) if is_whole else None


def _of_train(words: Sequence[str]) -> NativeCommand | None:
    option, source, *assignments = words
    if option not in SOURCES or not all(_is_assignment(word) for word in assignments):
        return None
    return NativeCommand(option, source, tuple(assignments))


def _is_assignment(word: str) -> bool:
    key, equals, _ = word.partition("=")
    return bool(equals) and not key.startswith("-")
