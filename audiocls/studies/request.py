"""Requests for ablations: what the user gave, and the command that repeats it."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls import library, yaml_file
from audiocls.config import merge, not_taken_over
from audiocls.design import Ablation, Plan, arms_of, plan, widened
from audiocls.errors import ConfigError, UsageError
from audiocls.formatting import assignment, format_arm, with_runs
from audiocls.parts import OWN_FILES, Origin
from audiocls.parts.modules import PLACES, named_places
from audiocls.parts.names import advice
from audiocls.parts.origin import TRUST, trusted_packages
from audiocls.store import Request, Study, folder_name
from audiocls.store.request import Command
from audiocls.studies.document_faults import with_faults_of_values
from audiocls.studies.options import LaunchOptions, cache_folder, names, numbers
from audiocls.studies.program_ablation import check_blocks
from audiocls.studies.resolve import configs_of, on_available_folds
from audiocls.studies.runnable import Configs

if TYPE_CHECKING:
    from audiocls.studies.slurm.submit import SlurmOptions

SUBMITTED_WITH = "AUDIOCLS_SUBMITTED_WITH"
"""Environment variable of a submitted task: the options that its job array was submitted with. A
study that tasks train is resumed by submitting it again: a login node is no place to train on."""


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
    timeout_s: float | None = None
    """Of one trial of a program."""
    notes: tuple[str, ...] = ()
    """What is odd about the file, and allowed."""
    origin: Origin = OWN_FILES
    """Who named its parts."""
    launch_options: tuple[str, ...] = ()
    """Options of the launch that decide no trial, word by word."""

    @property
    def study_name(self) -> str:
        """The name of the study's folder."""
        return self.study or self.ablation.name

    @property
    def is_program(self) -> bool:
        """Whether a program of the user's is run, and no recipe trained."""
        return self.ablation.is_program

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
            launch_options=self.launch_options,
        )

    def noise_command(self) -> str:
        """Return the command that measures the noise of the baseline."""
        return replace(self.stored("noise"), seeds=None, folds=None, arms=None).line()

    def plan(self) -> tuple[Plan, Configs]:
        """Return the trials and each arm's configuration, none for a program; nothing is run.

        Raises an `AudioclsError` with every fault of the request.
        """
        chosen = plan(
            self.ablation,
            seeds=numbers(self.seeds, "--seeds"),
            folds=numbers(self.folds, "--folds"),
            arms=names(self.arms, self._called()) if self.arms else (),
        )
        if self.ablation.is_program:
            check_blocks(self.ablation, chosen.folds)
            return chosen, {}
        configs = configs_of(chosen, self.recipe, self.overrides, self.origin)
        first, is_requested = next(iter(configs.values())), self.folds is not None
        available = on_available_folds(chosen, first, cache_folder(), is_requested)
        recipe = merge([self.recipe, self.ablation.base()])
        notes = (*available.notes, *not_taken_over(recipe, self.overrides, first))
        return replace(available, notes=notes), configs

    def _called(self) -> list[str]:
        """Return what arms can be called."""
        arms = arms_of(self.ablation)
        return [*arms, *map(format_arm, arms), *self.ablation.labels.values()]

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
    overrides = library.overrides(list(assignments or []))
    ablation = _read(name, recipe, overrides, origin)
    if ablation.is_program and recipe is not None:
        why = f"{ablation.name} runs a program; change its `program` or `command`"
        check_without_effect({"--recipe": recipe}, why)
    base = {} if ablation.is_program else library.recipe(ablation.recipe, origin.is_trusted)
    is_own = recipe is None
    file = library.find("ablations", name)
    texts = library.misreadings(file, library.COMPARED)
    odd = (*(f"{file}: {text}" for text in texts), *advice(base, yaml_file.read(file), overrides))
    given = (overrides, seeds, folds, arms, is_own)
    return AblationRequest(name, ablation, base, *given, notes=odd, origin=origin)


def _read(name: str, recipe: str | None, overrides: Mapping[str, Any], origin: Origin) -> Ablation:
    """Return the ablation; raises `ConfigError` with its errors, its recipe's and its factors'."""
    try:
        return library.ablation(name, recipe, origin.is_trusted)
    except ConfigError as error:
        document = yaml_file.read(library.find("ablations", name))
        changed = document if recipe is None else {**document, "recipe": recipe}
        raise with_faults_of_values(error, changed, overrides, origin) from error


def is_sweep(name: str) -> bool:
    """Whether `name` means a W&B sweep of its own, and not an ablation or the sweep of one.

    Raises `UsageError` for an unknown name, which may be either.
    """
    is_path = name.endswith((".yaml", ".yml"))
    ablations, sweeps = library.available("ablations"), library.available("sweeps")
    if not is_path and name not in ablations and name not in sweeps:
        known = {**ablations, **sweeps}
        raise library.unknown("ablation or sweep", name, known)
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
            problem = (
                f"the sweep is nested under {key!r}; W&B wants it at the top: remove that line"
            )
            raise ConfigError(where, [f"{key}: {problem} and the indentation below it"])


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


def launch_options_of(
    options: LaunchOptions,
    slurm: "SlurmOptions | None" = None,
    trial_hours: float | None = None,
    environment: Mapping[str, str] = os.environ,
) -> tuple[str, ...]:
    """Return the options that a launch is resumed with, but for those that decide its trials."""
    if submitted := environment.get(SUBMITTED_WITH):
        return tuple(shlex.split(submitted))
    return tuple(_words(options, slurm, trial_hours))


def _words(
    options: LaunchOptions, slurm: "SlurmOptions | None", trial_hours: float | None
) -> Iterator[str]:
    if options.executor != "local":
        yield from ("--executor", options.executor)
    if options.workers is not None and not options.is_single:
        yield from ("--workers", str(options.workers))
    if slurm is not None:
        yield from slurm.words()
    yield from options.ray.words()
    if options.devices != "auto":
        yield from ("--devices", options.devices)
    if options.wandb is not None:
        yield from ("--wandb", options.wandb)
    yield from shared_words(options)
    if trial_hours is not None:
        yield from ("--trial-hours", str(trial_hours))
    yield from own_part_words()
    if slurm is not None and slurm.is_detached:
        yield "--detach"


def shared_words(options: LaunchOptions) -> Iterator[str]:
    """Yield those options that the tasks of a job array have, too."""
    if options.per_device != "1":
        yield from ("--per-device", options.per_device)
    if options.devices_per_trial > 1:
        yield from ("--devices-per-trial", str(options.devices_per_trial))
    if options.max_hours is not None:
        yield from ("--max-hours", str(options.max_hours))
    if options.retries:
        yield from ("--retries", str(options.retries))
    if options.has_tensorboard:
        yield "--tensorboard"
    if options.has_model:
        yield "--log-model"


def own_part_words() -> Iterator[str]:
    """Yield where modules of own parts are looked for, and which of them are trusted."""
    if os.environ.get(TRUST):
        for package in trusted_packages():
            yield from ("--trust", package)
    if os.environ.get(PLACES):
        for place in named_places():
            yield from ("--path", place)


def relaunch_line(study: Study, runs: Path | None, num_trials: int = 0) -> str:
    """Return the command that goes on with the last launch of a study in `runs`."""
    options = study.request.options_text(num_trials) if study.request else ""
    return with_runs(study.command + options, runs)
