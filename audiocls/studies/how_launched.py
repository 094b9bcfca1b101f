"""How a study was launched: the options that decide no trial, and the command that repeats all."""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls.formatting import with_runs
from audiocls.parts.modules import named_places
from audiocls.parts.origin import trusted_packages
from audiocls.store import Study
from audiocls.studies.options import LaunchOptions

if TYPE_CHECKING:
    from audiocls.studies.slurm.submit import SlurmOptions

SUBMITTED_WITH = "AUDIOCLS_SUBMITTED_WITH"
"""Environment variable of a submitted task: the options that its job array was submitted with. A
study that tasks train is resumed by submitting it again: a login node is no place to train on."""


def how_launched(
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
    for package in trusted_packages():
        yield from ("--trust", package)
    for place in named_places():
        yield from ("--path", place)


def how_text(study: Study, num_trials: int = 0) -> str:
    """Return what follows a study's command in the one that goes on with its last launch.

    Args:
        num_trials: that a search has by now.
    """
    how = study.request.how_words(num_trials) if study.request else []
    return "".join(f" {shlex.quote(word)}" for word in how)


def relaunch_line(study: Study, runs: Path | None, num_trials: int = 0) -> str:
    """Return the command that goes on with the last launch of a study in `runs`."""
    return with_runs(study.command + how_text(study, num_trials), runs)
