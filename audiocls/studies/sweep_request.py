"""Requests for sweeps: a sweep's file and the options that go with it, as given by the user."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls import library
from audiocls.errors import ConfigError, UsageError
from audiocls.formatting import assignment
from audiocls.named_paths import is_file
from audiocls.parts import OWN_FILES, Origin
from audiocls.parts.names import advice
from audiocls.search import Sweep
from audiocls.search.command import DEFAULT_COMMAND
from audiocls.search.native_command import NativeCommand, parse_native_command
from audiocls.store import Request, SearchPlan, Study, folder_name
from audiocls.store.proposals import BUILT_IN

NO_PROGRAM = (
    "program: missing, so there is nothing to run; name a script, or write a whole `command`. For "
    "one of our recipes: command: [audiocls, train, --recipe, NAME, '${args_no_hyphens}']"
)


@dataclass(frozen=True)
class SweepRequest:
    """A sweep and the options that go with it."""

    name: str
    """A built-in name, or a path, as it was given."""
    file: Path
    document: dict[str, Any]
    """W&B's configuration, verbatim."""
    sweep: Sweep
    native: NativeCommand | None
    """What its trials are, if they are ours."""
    assignments: tuple[str, ...] = ()
    study: str | None = None
    recipe: str | None = None
    """Instead of the one that the sweep's command names."""
    max_new: int | None = None
    timeout_s: float | None = None
    notes: tuple[str, ...] = ()
    """What is odd about the file, and allowed."""
    origin: Origin = OWN_FILES
    """Who named its parts."""
    launch_options: tuple[str, ...] = ()
    """Options of the launch that decide no trial, word by word."""

    @property
    def study_name(self) -> str:
        """The name of the study's folder; a sweep's own name may hold what no folder's can."""
        named = folder_name(self.sweep.name) or folder_name(self.file.stem)
        return self.study or named or "sweep"

    @property
    def is_program(self) -> bool:
        """Whether a program of the user's is run, and no recipe trained."""
        return self.native is None

    @property
    def recipe_name(self) -> str:
        """The recipe of native trials."""
        assert self.native is not None
        return self.recipe or self.native.source

    @property
    def overrides(self) -> dict[str, Any]:
        """What every trial has: of the sweep's command, then of the command line."""
        fixed = self.native.assignments if self.native else ()
        return library.overrides([*fixed, *self.assignments])

    @property
    def runs(self) -> str:
        """What its trials run, in words."""
        if self.native is None:
            command = shlex.join(self.sweep.command) if self.sweep.command else ""
            return " ".join(filter(None, [command, self.sweep.program]))
        fixed = [assignment(*item) for item in self.overrides.items()]
        return " ".join(["recipe", self.recipe_name, *fixed])

    def stored(self) -> Request:
        """Return the request as the study keeps it."""
        return Request(
            "sweep launch",
            self.name,
            self.study,
            recipe=self.recipe,
            assignments=self.assignments,
            launch_options=self.launch_options,
        )

    @property
    def place(self) -> str:
        """Where the sweep stands: the path of its file, or its built-in name."""
        is_built_in = self.file.parent.resolve() == library.shipped("sweeps").resolve()
        return f"{BUILT_IN}{self.file.stem}" if is_built_in else str(self.file.resolve())

    def to_study(self, request: Request | None = None, code: str = "") -> Study:
        """Return the study that is kept, of a program whose files have the digest `code`.

        `request` is given where the study is another command's, and no file's.
        """
        stored = request or self.stored()
        folder, file = "" if self.native else str(Path.cwd()), "" if request else self.place
        return Study(
            name=self.study_name,
            kind="search",
            overrides=self.overrides,
            command=stored.line(),
            request=stored,
            search=SearchPlan(self.document, self.runs, folder, file, code),
        )


def sweep_request(
    name: str,
    assignments: Sequence[str] | None = None,
    study: str | None = None,
    recipe: str | None = None,
    **limits: Any,
) -> SweepRequest:
    """Return the sweep of that name or path; raises `ConfigError` with all its faults."""
    file = library.find("sweeps", name)
    document, sweep, notes = library.checked_sweep(file)
    native = parse_native_command(sweep.command)
    if native is None and (assignments or recipe):
        raise UsageError(
            f"{name}: --set and --recipe change one of our recipes, and its command runs another "
            "program; put what is fixed into its `command` or `parameters`"
        )
    check_has_program(sweep, native, str(file))
    odd = tuple(f"{file}: {text}" for text in (*notes, *_program_notes(sweep, native)))
    odd += tuple(advice(document))
    given = tuple(assignments or ())
    return SweepRequest(
        name, file, document, sweep, native, given, study, recipe, **limits, notes=odd
    )


def _program_notes(sweep: Sweep, native: NativeCommand | None) -> list[str]:
    """Return a note where the program is no file here; a module is none either."""
    command = sweep.command or DEFAULT_COMMAND
    is_run = native is None and "${program}" in command and "-m" not in command
    if not is_run or is_file(Path(sweep.program)):
        return []
    advice = "its options belong into `command`" if " " in sweep.program else "is its path right?"
    return [f"program: {sweep.program!r} is no file in {Path.cwd()}; {advice}"]


def check_has_program(sweep: Sweep, native: NativeCommand | None, where: str) -> None:
    """Raise `ConfigError` where there is nothing to run."""
    if (
        native is None
        and not sweep.program
        and (not sweep.command or "${program}" in sweep.command)
    ):
        raise ConfigError(where, [NO_PROGRAM])
