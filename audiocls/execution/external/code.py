"""`ProgramCode`: the source of an external program as it is now, by its digest."""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import audiocls
from audiocls.errors import ConfigError
from audiocls.execution.external.command import program_words
from audiocls.formatting import join_names, plural
from audiocls.search import Sweep
from audiocls.source_code import digest_of_files, text_of
from audiocls.source_files import chosen_files, files_of

SWEEP_MEMBERSHIP = re.compile(r"\bsweep_id\b|\bWANDB_SWEEP_ID\b")
"""How a program asks whether it is in a sweep."""
READS_PARAMETERS = re.compile(
    r"\.config\b|\bWANDB_SWEEP_PARAM_PATH\b|\bsweep_config\b|\bargs_json\b|\bWandbLogger\b"
)
SERVER_CALLS = ("agent", "sweep", "controller", "Api", "sweep_url", "get_sweep_url", "use_artifact")
"""Names of W&B's client that need a server."""
MOST_NAMED = 3
OURS = Path(audiocls.__file__).resolve().parent
"""A program that reports its result imports this package, which decides none of its numbers."""


@dataclass(frozen=True)
class ProgramCode:
    """The files that decide what a program computes, and their digest."""

    cwd: Path
    files: tuple[Path, ...]
    digest: str
    """12 hex digits; empty where there is no file."""

    def names(self) -> str:
        """Return the files for people, such as `train.py, model.py`."""
        return join_names([self.name_of(file) for file in self.files], MOST_NAMED)

    def name_of(self, file: Path) -> str:
        """Return a file's path, from the working directory on where it lies there."""
        cwd = self.cwd.resolve()
        return str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)

    def is_changed(self) -> bool:
        """Whether a file is another one now."""
        return digest_of_files(self.cwd, self.files) != self.digest

    def reads_sweep(self) -> str:
        """Return where it asks whether it is in a sweep, such as `train.py line 5`, or nothing."""
        return self._first(SWEEP_MEMBERSHIP)

    def reads_parameters(self) -> bool:
        """Whether some file reads W&B's configuration, or the file of the parameters."""
        return bool(self._first(READS_PARAMETERS))

    def server_calls(self) -> Iterator[str]:
        """Yield what asks W&B's server, such as `wandb.agent (train.py line 5)`."""
        for file in self.files:
            for call, line in _wandb_calls(file) if file.suffix == ".py" else ():
                yield f"wandb.{call} ({self.name_of(file)} line {line})"

    def _first(self, pattern: re.Pattern[str]) -> str:
        for file in self.files:
            text = text_of(file)
            if (match := pattern.search(text)) is not None:
                line = text.count("\n", 0, match.start()) + 1
                return f"{self.name_of(file)} line {line}"
        return ""

    def summary(self) -> str:
        """Return how many files there are, which, and their digest."""
        return f"{plural(len(self.files), 'file')} ({self.names()}), digest {self.digest}"


def program_code(sweep: Sweep, cwd: Path) -> ProgramCode:
    """Return the program that a sweep's trials run in `cwd`.

    Its files are those that the sweep's `code` chooses, or else those that its command names, with
    the modules beside them that they import. Raises `ConfigError` for a pattern without a file.
    """
    if sweep.code:
        faults = [_nothing(p, cwd) for p in sweep.code if not chosen_files([p], cwd)]
        if faults:
            raise ConfigError(f"sweep {sweep.name}".strip(), faults)
        files = chosen_files(sweep.code, cwd)
    else:
        words = program_words(sweep.command, sweep.program, os.environ)
        files = tuple(file for file in files_of(words, cwd) if not file.is_relative_to(OURS))
    return ProgramCode(cwd, files, digest_of_files(cwd, files))


def _nothing(pattern: str, cwd: Path) -> str:
    return f"code: got {pattern!r}, which no file below {cwd} fits; wanted: such as src/**/*.py"


def _wandb_calls(file: Path) -> Iterator[tuple[str, int]]:
    try:
        tree = ast.parse(text_of(file))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name("wandb"), attr) if attr in SERVER_CALLS:
                yield attr, node.lineno
