"""What the launching commands share: from names and options to a study, and to its end."""

import os
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from audiocls import console, library
from audiocls.analysis.interim import first_look
from audiocls.cli.options import cache_folder, names, numbers
from audiocls.cli.until_decided import growing, next_look_fn
from audiocls.console.progress import watching
from audiocls.design import Ablation, Plan, arms_of, plan, widened
from audiocls.design.register import PROJECT
from audiocls.errors import UsageError, did_you_mean
from audiocls.execution.code import is_as_now
from audiocls.execution.devices import Slots, slots
from audiocls.execution.executors import Executor
from audiocls.execution.job import NativeJob, TrackingConfig
from audiocls.execution.scheduler import MAX_FIRST_FAILURES, Limits
from audiocls.store import Cell, StudyFolder
from audiocls.store.reuse import paired_study_name
from audiocls.studies.launch import Outcome, launch
from audiocls.studies.resolve import (
    Configs,
    Resolved,
    assignment,
    configs_of,
    job_of,
    on_available_folds,
    study_of,
)
from audiocls.studies.sources.sequential import launch_until_decided
from audiocls.tracking import WandbMode
from audiocls.tracking.mode import default_mode
from audiocls.tracking.tensorboard import require_tensorboard

EXECUTORS = ("local", "inline", "wandb")


@dataclass(frozen=True)
class AblationRequest:
    """An ablation, and what the command line changes about it."""

    name: str
    """As the command line gave it: a name on the shelf, or a path."""
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

    def command(self, study: str) -> str:
        """The command line that asks for the same again."""
        words = ["audiocls", "sweep", "launch", self.name]
        words += [] if study == self.ablation.name else ["--study", study]
        words += ["--until-decided"] if self.is_until_decided else []
        words += [] if self.max_pairs is None else ["--max-pairs", str(self.max_pairs)]
        return shlex.join([*words, *self.options("seeds", "folds", "arms")])

    def options(self, *narrowed: str) -> list[str]:
        """What the command line changes, as it would say it; blocks and arms as named."""
        words = [] if self.is_own_recipe else ["--recipe", self.ablation.recipe]
        for key, value in self.overrides.items():
            words += ["--set", assignment(key, value)]
        for option in narrowed:
            if getattr(self, option):
                words += [f"--{option}", getattr(self, option)]
        return words


@dataclass(frozen=True)
class LaunchOptions:
    """Where and with what a study is run, as the command line says it."""

    runs: Path
    wandb: str | None = None
    executor: str = "local"
    devices: str = "auto"
    workers: int | None = None
    max_hours: float | None = None
    retries: int = 0
    has_tensorboard: bool = False
    has_model: bool = False
    run_id: str = ""
    """The W&B run that an agent opened for the one trial asked for."""
    is_exclusive: bool = True
    """Whether nobody else may work on the study meanwhile; single cells share it."""

    @property
    def is_on_server(self) -> bool:
        """Whether a W&B server says which trial comes next."""
        return self.executor == "wandb"

    def mode(self) -> WandbMode:
        """The W&B mode asked for, or the one that this machine's configuration means."""
        if self.wandb is None:
            return default_mode(os.environ)
        if self.wandb not in get_args(WandbMode):
            allowed = get_args(WandbMode)
            raise UsageError(
                f"--wandb: got {self.wandb!r}; allowed: {', '.join(allowed)}."
                + did_you_mean(self.wandb, allowed)
            )
        return cast(WandbMode, self.wandb)

    def tracking(self) -> TrackingConfig:
        """Who is to be told; refuses at once what is not installed."""
        if self.has_tensorboard:
            require_tensorboard()
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        return TrackingConfig(
            mode=self.mode(),
            project=project,
            has_tensorboard=self.has_tensorboard,
            has_model=self.has_model,
            run_id=self.run_id,
        )

    def limits(self, is_foreign: bool = False) -> Limits:
        """When to give up; somebody else's program may fail from the first trial to the last."""
        max_s = None if self.max_hours is None else self.max_hours * 3600
        return Limits(max_s, self.retries, MAX_FIRST_FAILURES if is_foreign else None)

    def slots(self) -> Slots:
        """One device a worker."""
        if self.executor not in EXECUTORS:
            allowed = ", ".join(EXECUTORS)
            raise UsageError(f"--executor: got {self.executor!r}; allowed: {allowed}")
        return slots(self.devices, self.workers)

    def open(
        self, cache: Path, log: Path, num_missing: int | None, stop: threading.Event
    ) -> Executor[Any]:
        """The executor, with no more workers than there is work."""
        if self.executor == "inline":
            from audiocls.execution.executors.inline import InlineExecutor

            return InlineExecutor(cache, stop)
        from audiocls.execution.executors.local import LocalExecutor

        return LocalExecutor(self.slots()[:num_missing], cache, log)


def request(
    name: str,
    recipe: str | None = None,
    assignments: Sequence[str] | None = None,
    seeds: str | None = None,
    folds: str | None = None,
    arms: str | None = None,
) -> AblationRequest:
    """Everything named, found and read."""
    ablation = library.ablation(name, recipe)
    overrides = library.overrides(list(assignments or []))
    base = library.recipe(ablation.recipe)
    return AblationRequest(
        name, ablation, base, overrides, seeds, folds, arms, is_own_recipe=recipe is None
    )


def planned(asked: AblationRequest) -> tuple[Plan, Configs]:
    """The trials and each arm's configuration: every fault reported, nothing run."""
    ablation = asked.ablation
    chosen = plan(
        ablation,
        seeds=numbers(asked.seeds, "--seeds"),
        folds=numbers(asked.folds, "--folds"),
        arms=names(asked.arms, list(arms_of(ablation))),
    )
    configs = configs_of(chosen, asked.recipe, asked.overrides)
    first = next(iter(configs.values()))
    return on_available_folds(chosen, first, cache_folder(), asked.folds is not None), configs


def resolved(asked: AblationRequest, name: str | None = None) -> Resolved:
    """The study that `asked` amounts to, its data read and its ids computed.

    Until decided, it has all cells that the budget allows.
    """
    chosen, configs = planned(asked)
    study_name = name or asked.ablation.name
    command = asked.command(study_name)
    whole = widened(chosen, asked.max_pairs) if asked.is_until_decided else chosen
    found = study_of(whole, configs, asked.overrides, cache_folder(), study_name, command)
    return growing(found, len(chosen.blocks)) if asked.is_until_decided else found


def run_study(found: Resolved, means: LaunchOptions) -> Outcome:
    """Launch the study with the means given, showing its progress, until it ends or is stopped."""
    if means.is_on_server:
        raise UsageError(
            "--executor wandb: a server orders cells of sweeps; allowed here: local, inline"
        )
    cache, tracking = cache_folder().absolute(), means.tracking()
    is_on_cpu = set(means.slots()) == {"cpu"}
    folder = StudyFolder((means.runs / found.study.name).absolute())
    log = folder.path / "workers.log"
    lender = lender_for(folder, found.study.cells, is_on_cpu)

    def job(cell: Cell) -> NativeJob:
        return job_of(cell, found, folder, tracking)

    def executor(num_missing: int, stop: threading.Event) -> Executor[Any]:
        return means.open(cache, log, num_missing, stop)

    study, limits = found.study, means.limits()
    with watching() as watch:
        if not study.looks:
            alone = means.is_exclusive
            return launch(folder, study, job, executor, watch, limits, alone, lender)
        first, grow = first_look(study), next_look_fn(folder, study)
        return launch_until_decided(folder, first, job, executor, watch, grow, limits, lender)


def lender_for(folder: StudyFolder, cells: Sequence[Cell], is_on_cpu: bool) -> StudyFolder | None:
    """The study's twin, unless one of their trials could not pair with what is trained now."""
    other = StudyFolder(folder.path.with_name(paired_study_name(folder.name)))
    new = [cell for cell in cells if not folder.trial(cell.id).path.exists()]
    records = other.records(new) if other.path.exists() else {}
    if all(is_as_now(record.provenance, is_on_cpu) for record in records.values()):
        return other if records else None
    console.note(f"{other.name} was trained by other code or elsewhere: its trials are not reused")
    return None
