"""Requests: names and options as given by the user; one type for ablations, one for sweeps."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiocls import library, yaml_file
from audiocls.design import Ablation, Plan, arms_of, plan, widened
from audiocls.errors import ConfigError, UsageError, did_you_mean
from audiocls.parts import OWN_FILES, Origin
from audiocls.parts.names import advice
from audiocls.search import Sweep
from audiocls.search.command import DEFAULT_COMMAND
from audiocls.search.native_command import NativeCommand, parse_native_command
from audiocls.store import Request, SearchPlan, Study, folder_name
from audiocls.store.proposals import BUILT_IN
from audiocls.store.request import Command
from audiocls.studies.options import cache_folder, names, numbers
from audiocls.studies.resolve import assignment, configs_of, on_available_folds
from audiocls.studies.runnable import Configs

NO_PROGRAM = (
    "program: missing, so there is nothing to run; name a script, or write a whole `command`. For "
    "one of our recipes: command: [audiocls, train, --recipe, NAME, '${args_no_hyphens}']"
)


@dataclass(frozen=True)
class AblationRequest:
    """An ablation and the options that go with it."""

    name: str
    """A built-in name, or a path, as it was given."""
    ablation: Ablation
    recipe: dict[str, Any]
    overrides: dict[str, Any]
    seeds: str | None = None
    folds: str | None = None
    arms: str | None = None
    is_own_recipe: bool = True
    """Whether the recipe is the one that the ablation's file names."""
    is_until_decided: bool = False
    """Whether seeds are added until every comparison is decided."""
    max_pairs: int | None = None
    """Of each comparison, where seeds are added."""
    effect: float | None = None
    """In units of the metric, where arms are given up for which it is out of sight."""
    study: str | None = None
    """Name of the study's folder, where it is not the ablation's own."""
    notes: tuple[str, ...] = ()
    """What is odd about the file, and allowed."""
    origin: Origin = OWN_FILES
    """Who named its parts."""

    @property
    def study_name(self) -> str:
        """The name of the study's folder."""
        return self.study or self.ablation.name

    def stored(self, command: Command = "sweep launch") -> Request:
        """Return the request as the study keeps it."""
        return Request(
            command,
            self.name,
            None if self.study_name == self.ablation.name else self.study,
            self.is_until_decided,
            self.max_pairs,
            self.effect,
            None if self.is_own_recipe else self.ablation.recipe,
            tuple(assignment(*item) for item in self.overrides.items()),
            self.seeds,
            self.folds,
            self.arms,
        )

    def noise_command(self) -> str:
        """Return the command that measures the noise of the baseline."""
        return replace(self.stored("noise"), seeds=None, folds=None, arms=None).line()

    def plan(self) -> tuple[Plan, Configs]:
        """Return the trials and each arm's configuration; nothing is run.

        Raises an `AudioclsError` with every fault of the request.
        """
        chosen = plan(
            self.ablation,
            seeds=numbers(self.seeds, "--seeds"),
            folds=numbers(self.folds, "--folds"),
            arms=names(self.arms, list(arms_of(self.ablation))),
        )
        configs = configs_of(chosen, self.recipe, self.overrides, self.origin)
        first, is_requested = next(iter(configs.values())), self.folds is not None
        return on_available_folds(chosen, first, cache_folder(), is_requested), configs

    def whole_plan(self, chosen: Plan) -> Plan:
        """Return `chosen` with all seeds that the budget of a growing study allows."""
        return widened(chosen, self.max_pairs) if self.is_until_decided else chosen


def ablation_request(
    name: str,
    recipe: str | None = None,
    assignments: Sequence[str] | None = None,
    seeds: str | None = None,
    folds: str | None = None,
    arms: str | None = None,
    origin: Origin = OWN_FILES,
) -> AblationRequest:
    """Return the ablation of that name or path; a registered sweep stands for its ablation.

    `origin` says who named it: only beside the user's own files are modules looked for.
    """
    if name.endswith((".yaml", ".yml")):
        name = library.registered_ablation(yaml_file.read(library.find("sweeps", name))) or name
    ablation = library.ablation(name, recipe, origin.is_trusted)
    overrides = library.overrides(list(assignments or []))
    base, is_own = library.recipe(ablation.recipe, origin.is_trusted), recipe is None
    file = library.find("ablations", name)
    texts = library.misreadings(file, library.COMPARED)
    odd = (*(f"{file}: {text}" for text in texts), *advice(base, yaml_file.read(file), overrides))
    given = (overrides, seeds, folds, arms, is_own)
    return AblationRequest(name, ablation, base, *given, notes=odd, origin=origin)


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

    @property
    def study_name(self) -> str:
        """The name of the study's folder; a sweep's own name may hold what no folder's can."""
        named = folder_name(self.sweep.name) or folder_name(self.file.stem)
        return self.study or named or "sweep"

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
    if not is_run or Path(sweep.program).is_file():
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


def is_sweep(name: str) -> bool:
    """Whether `name` means a W&B sweep of its own, and not an ablation or the sweep of one.

    Raises `UsageError` for an unknown name, which may be either.
    """
    is_path = name.endswith((".yaml", ".yml"))
    ablations, sweeps = library.available("ablations"), library.available("sweeps")
    if not is_path and name not in ablations and name not in sweeps:
        known = {**ablations, **sweeps}
        raise UsageError(
            f"no ablation or sweep is called {name!r}; known: {', '.join(known) or 'none'}."
            f"{did_you_mean(name, known)} A path ends in .yaml or .yml"
        )
    if not is_path and (name in ablations or name not in sweeps):
        return False
    document = yaml_file.read(library.find("sweeps", name))
    _check_is_not_wrapped(document, name)
    is_search = "method" in document or "parameters" in document
    return is_search and library.registered_ablation(document) is None


def _check_is_not_wrapped(document: Mapping[str, Any], where: str) -> None:
    """Raise `ConfigError` for a sweep that stands one level too deep."""
    for key, inner in document.items():
        is_sweep_inside = isinstance(inner, Mapping) and {"method", "parameters"} <= inner.keys()
        if is_sweep_inside and "method" not in document:
            told = f"the sweep stands under {key!r}; W&B wants it at the top: remove that line"
            raise ConfigError(where, [f"{key}: {told} and the indentation below it"])


def check_without_effect(options: Mapping[str, object], why: str) -> None:
    """Raise `UsageError` if one of these options is given, for nothing is skipped silently."""
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)}: no effect here, for {why}; leave it out")


def check_folder_name(study: str | None) -> None:
    """Raise `UsageError` for a study's name that no folder can have."""
    if study is not None and (not study or folder_name(study) != study):
        fits = folder_name(study)
        hint = f", such as {fits!r}" if fits else ""
        raise UsageError(f"--study: got {study!r}; wanted: the name of one folder{hint}")
