"""From a sweep's file and the command line's options to its trials, and to its end."""

import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiocls import console, library
from audiocls.cli.options import cache_folder
from audiocls.cli.studies import LaunchOptions
from audiocls.console.progress import watching
from audiocls.errors import ConfigError, UsageError
from audiocls.execution.executors import Executor
from audiocls.execution.job import TrackingConfig
from audiocls.search import Sweep, fixed_keys
from audiocls.search.native_command import NativeCommand, parse_native_command
from audiocls.store import StudyFolder, SweepStudy, folder_name
from audiocls.studies.launch import SweepOutcome, launch_sweep
from audiocls.studies.native_trials import NativeTrials
from audiocls.studies.resolve import assignment
from audiocls.studies.sources.search import SearchSource, Trials

NO_PROGRAM = (
    "program: missing, so there is nothing to run; name a script, or write a whole `command`. For "
    "one of our recipes: command: [audiocls, train, --recipe, NAME, '${args_no_hyphens}']"
)


@dataclass(frozen=True)
class SweepRequest:
    """A sweep, and what the command line says about it."""

    name: str
    """As the command line gave it: a name on the shelf, or a path."""
    file: Path
    document: dict[str, Any]
    """W&B's configuration, verbatim."""
    sweep: Sweep
    own: NativeCommand | None
    """What its trials are, if they are ours."""
    assignments: tuple[str, ...] = ()
    study: str | None = None
    recipe: str | None = None
    """Instead of the one that the sweep's command names."""
    max_new: int | None = None
    timeout_s: float | None = None

    @property
    def study_name(self) -> str:
        """The folder's name; a sweep's own name may hold what no folder's can."""
        own = folder_name(self.sweep.name) or folder_name(self.file.stem)
        return self.study or own or "sweep"

    @property
    def recipe_name(self) -> str:
        """Of our own trials."""
        assert self.own is not None
        return self.recipe or self.own.source

    @property
    def overrides(self) -> dict[str, Any]:
        """What every trial has: of the sweep's command, then of the command line."""
        fixed = self.own.assignments if self.own else ()
        return library.overrides([*fixed, *self.assignments])

    @property
    def runs(self) -> str:
        """What its trials run, in words."""
        if self.own is None:
            command = shlex.join(self.sweep.command) if self.sweep.command else ""
            return " ".join(filter(None, [command, self.sweep.program]))
        fixed = [assignment(*item) for item in self.overrides.items()]
        return " ".join(["recipe", self.recipe_name, *fixed])

    def command(self) -> str:
        """The command line that asks for the same again."""
        words = ["audiocls", "sweep", "launch", self.name]
        words += ["--study", self.study] if self.study else []
        words += ["--recipe", self.recipe] if self.recipe else []
        for item in self.assignments:
            words += ["--set", item]
        return shlex.join(words)

    def launched(self) -> SweepStudy:
        """The study that is kept."""
        return SweepStudy(
            name=self.study_name,
            sweep=self.document,
            runs=self.runs,
            folder="" if self.own else str(Path.cwd()),
            overrides=self.overrides,
            command=self.command(),
        )


def sweep_request(
    name: str,
    assignments: Sequence[str] | None = None,
    study: str | None = None,
    recipe: str | None = None,
    **limits: Any,
) -> SweepRequest:
    """The sweep of that name or path, checked; raises `ConfigError` with all its faults."""
    file = library.find("sweeps", name)
    document, sweep, notes = library.checked_sweep(file)
    for text in notes:
        console.note(f"{file}: {text}")
    own = parse_native_command(sweep.command)
    if own is None and (assignments or recipe):
        raise UsageError(
            f"{name}: --set and --recipe change one of our recipes, and its command runs another "
            "program; put what is fixed into its `command` or `parameters`"
        )
    require_program(sweep, own, str(file))
    return SweepRequest(
        name, file, document, sweep, own, tuple(assignments or ()), study, recipe, **limits
    )


def require_program(sweep: Sweep, own: NativeCommand | None, where: str) -> None:
    """Raises `ConfigError` where there is nothing to run."""
    if own is None and not sweep.program and (not sweep.command or "${program}" in sweep.command):
        raise ConfigError(where, [NO_PROGRAM])


def trials_of(
    asked: SweepRequest, folder: StudyFolder, cache: Path, tracking: TrackingConfig
) -> Trials:
    """What the sweep's parameters mean; raises `ConfigError` for what no trial could have."""
    if asked.own is None:
        from audiocls.studies.command_trials import CommandTrials

        return CommandTrials(folder, asked.sweep, Path.cwd(), tracking, asked.timeout_s)
    name, fixed = asked.recipe_name, fixed_keys(asked.sweep.parameters)
    recipe = library.recipe(name)
    trials = NativeTrials(folder, cache, tracking, name, recipe, asked.overrides, fixed)
    trials.check(asked.sweep)
    return trials


def tracking_of(asked: SweepRequest, means: LaunchOptions) -> TrackingConfig:
    """Who is told, in the project and the entity that the sweep names, if it does."""
    tracking = means.tracking()
    project = asked.sweep.project or tracking.project
    return replace(tracking, project=project, entity=asked.sweep.entity)


def search(asked: SweepRequest, means: LaunchOptions) -> SweepOutcome:
    """Launch the sweep, showing its progress, until it is over or stopped."""
    folder = StudyFolder((means.runs / asked.study_name).absolute())
    cache = cache_folder().absolute()
    trials = trials_of(asked, folder, cache, tracking_of(asked, means))
    means.slots()
    _say_where(folder, asked.launched())
    with watching() as watch:
        return launch_sweep(
            folder,
            asked.launched(),
            lambda: SearchSource(asked.sweep, folder, trials, asked.max_new),
            lambda stop: _open(asked, means, folder, cache, stop),
            watch,
            means.limits(is_foreign=asked.own is None),
        )


def _say_where(folder: StudyFolder, now: SweepStudy) -> None:
    """A program may do something else where it is started from another folder."""
    before = folder.sweep_study().folder if folder.is_sweep() else now.folder
    if before != now.folder:
        console.note(f"launched before in {before}; its programs are now started in {now.folder}")


def _open(
    asked: SweepRequest,
    means: LaunchOptions,
    folder: StudyFolder,
    cache: Path,
    stop: threading.Event,
) -> Executor[Any]:
    if asked.own is None:
        from audiocls.execution.executors.subprocesses import SubprocessExecutor

        return SubprocessExecutor(means.slots())
    return means.open(cache, folder.path / "workers.log", asked.max_new, stop)
