"""`launch`: what is missing of a study is run.

All that it needs is imported when workers have begun to import torch, which takes longer.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import audiocls
from audiocls.api.arguments import (
    Assignments,
    Folder,
    Names,
    Numbers,
    assignments_of,
    blocks_text,
    known_options,
    runs_folder,
)
from audiocls.api.display import Progress, display_of
from audiocls.errors import UsageError
from audiocls.execution.fork_server import begun
from audiocls.execution.messages import Display

if TYPE_CHECKING:
    from audiocls.studies.launch import Outcome
    from audiocls.studies.options import LaunchOptions
    from audiocls.studies.prepare import LaunchRequest
    from audiocls.studies.slurm.submit import SlurmOptions


@known_options
def launch(
    name: str, *, recipe: str | None = None, set: Assignments | None = None,
    seeds: Numbers | None = None, folds: Numbers | None = None, arms: Names | None = None,
    study: str | None = None, runs: Folder | None = None, executor: str = "local",
    devices: str = "auto", workers: int | None = None, max_hours: float | None = None,
    retries: int = 0, count: int | None = None, trial_hours: float | None = None,
    until_decided: bool = False, max_pairs: int | None = None, effect: float | None = None,
    wandb: str | None = None, tensorboard: bool = False, log_model: bool = False,
    per_device: str | int = "1", devices_per_trial: int = 1, profile: Folder | None = None,
    slurm: Assignments | None = None, detach: bool = False, dry_run: bool = False,
    ray_address: str | None = None, cpus_per_worker: float | None = None,
    gpus_per_worker: float | None = None, progress: Progress = True
) -> "audiocls.Study":  # fmt: skip
    """Run every missing trial of an ablation or a sweep; return the study, to compare and report.

    The same call resumes. Failed trials raise nothing: `study.status()` names them, `study.outcome`
    says how the launch ended. `progress=False` shows nothing. Raises `LaunchStopped` when a signal
    has stopped it. On SLURM it submits `workers` tasks with what `profile` (a YAML file) and
    `slurm` (`{"partition": "gpu"}`) ask for; `detach` follows none, `dry_run` shows the script.

    >>> import audiocls
    >>> study = audiocls.launch("dropout", seeds=range(5), wandb="offline")  # doctest: +SKIP
    >>> study.compare().verdicts  # doctest: +SKIP
    {'dropout=0.05': 'no_evidence', 'dropout=0.1': 'no_evidence', 'dropout=0.5': 'worse'}
    """
    folder = runs_folder(runs)
    with begun(executor, devices, workers, devices_per_trial, folder, study or name) as server:
        from audiocls.studies import on_ray, options, prepare

        chosen = options.LaunchOptions(
            folder, wandb, executor, devices, workers, max_hours, retries, tensorboard, log_model,
            per_device=str(per_device), devices_per_trial=devices_per_trial, fork_server=server,
            ray=on_ray.RayOptions(ray_address, cpus_per_worker, gpus_per_worker),
        )  # fmt: skip
        request = prepare.LaunchRequest(
            name, recipe, assignments_of(set), *blocks_text(seeds, folds, arms), study, count,
            trial_hours, until_decided, max_pairs, effect,
        )  # fmt: skip
        batch = slurm_options(profile, slurm, detach, dry_run)
        return _ended(_run(request, chosen, batch, display_of(progress)), chosen, progress)


def _run(
    launch_request: "LaunchRequest",
    options: "LaunchOptions",
    batch: "SlurmOptions",
    display: Display,
) -> "Outcome":
    from audiocls.studies.launch import Outcome
    from audiocls.studies.launch import launch as launch_study
    from audiocls.studies.prepare import prepare
    from audiocls.studies.request import launch_options_of
    from audiocls.studies.slurm.submit import launch_on_slurm

    repeated = launch_options_of(options, batch, launch_request.trial_hours)
    launch_request = replace(launch_request, launch_options=repeated)
    batch.check_has_effect(options.executor)
    if options.executor == "slurm":
        return launch_on_slurm(launch_request, options, batch, display)
    request = launch_request.read()
    if options.is_on_server:
        raise UsageError(
            "executor: a W&B server orders the trials of a sweep: create it with audiocls.push(), "
            "and run it with audiocls.agent(); allowed here: local, inline, slurm, ray"
        )
    if not request.is_program:
        options.begin_workers(request.study_name)
    prepared = prepare(request, options, display)
    return prepared if isinstance(prepared, Outcome) else launch_study(prepared, display)


def slurm_options(
    profile: Folder | None, changes: Assignments | None, detach: bool = False, dry_run: bool = False
) -> "SlurmOptions":
    """Return what is meant for SLURM; `changes` are options of `sbatch`, as texts or by name."""
    from audiocls.studies.slurm.submit import SlurmOptions

    if isinstance(changes, str):
        raise UsageError(f"slurm: got the text {changes!r}; allowed: such as {{'time': '4:00:00'}}")
    if isinstance(changes, Mapping):
        changes = [f"{name}={_sbatch_text(value)}" for name, value in changes.items()]
    file = None if profile is None else Path(profile)
    return SlurmOptions(file, tuple(changes or ()), detach, dry_run)


def _sbatch_text(value: object) -> str:
    """Return a value as `sbatch` takes it, or lines of `setup`."""
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ended(outcome: "Outcome", options: "LaunchOptions", progress: Progress) -> "audiocls.Study":
    """Return the study of a launch; raise `LaunchStopped` if a signal has stopped it.

    What compares and reports is imported here: no trial has to wait for it.
    """
    from audiocls.api.study import raise_if_stopped, study_in
    from audiocls.store import StudyFolder

    launched = study_in(StudyFolder(options.runs / outcome.study.name), outcome)
    raise_if_stopped(launched)  # with the summary as its text
    is_summed_up = outcome.study.kind == "tuning" or outcome.submitted is not None
    if progress is True and not is_summed_up:  # else when its trials had ended, or it was submitted
        for text in launched.summary():
            display_of(progress).note(text)
    return launched
