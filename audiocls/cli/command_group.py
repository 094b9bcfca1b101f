"""A group of commands: what was meant by a command that it does not have, and examples in help."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperArgument, TyperGroup, TyperOption

from audiocls.cli import completion
from audiocls.cli.examples import EXAMPLES

MEANT = {
    "compare": ("report",),
    "convert": ("export",),
    "dashboard": ("serve",),
    "eval": ("evaluate",),
    "infer": ("predict",),
    "ls": ("list",),
    "new": ("ablation new",),
    "remove": ("delete",),
    "results": ("report",),
    "rm": ("delete",),
    "run": ("sweep launch",),
    "start": ("sweep launch",),
    "studies": ("study list",),
    "test": ("evaluate",),
    "ui": ("serve",),
    "version": ("--version",),
}
"""Words of other tools → commands of ours, of which those are suggested that exist."""


class CommandGroup(TyperGroup):
    """Suggests commands of other groups, and shows examples at the end of each command's help."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for words, command in _commands(self, ""):
            if lines := EXAMPLES.get(words):
                command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line, or answer the shell that completes one."""
        if completion.REQUEST not in os.environ:
            return super().main(*args, **kwargs)
        with completion.joined(), _unchecked():
            return super().main(*args, **kwargs)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is named; ends with a suggestion where there is none."""
        is_unknown = bool(args) and self.get_command(ctx, args[0]) is None
        if is_unknown and (suggestions := _elsewhere(ctx.find_root().command, self, args[0])):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(suggestions)}?")
        return super().resolve_command(ctx, args)


@contextmanager
def _unchecked() -> Iterator[None]:
    """Take words as they were typed: checks load pydantic, 0.1 s at each key press."""

    def as_typed(param: Any, ctx: Any, value: Any) -> Any:
        return value

    kinds: tuple[Any, ...] = (TyperArgument, TyperOption)
    for kind in kinds:
        kind.process_value = as_typed
    try:
        yield
    finally:
        for kind in kinds:
            del kind.process_value  # which both inherit


def _commands(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    """Yield all commands below a group, each by its words: `sweep launch`."""
    for name, command in group.commands.items():
        words = f"{before}{name}"
        yield words, command
        yield from _commands(command, f"{words} ") if hasattr(command, "commands") else ()


def _elsewhere(root: Any, group: Any, word: str) -> list[str]:
    """Return the commands that are called so, or do what the word means: the group's, or all."""
    wanted, known = MEANT.get(word, (word,)), dict(_commands(root, ""))
    meant = {
        words: command
        for words, command in known.items()
        if words in wanted or words.rpartition(" ")[2] in wanted
    }
    of_group = [words for words, command in meant.items() if command in group.commands.values()]
    options = [each for each in wanted if each.startswith("-")]
    return [f"'audiocls {words}'" for words in (of_group or [*meant, *options])]
