"""What can be found wrong with a job array before it is submitted."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.execution.slurm import commands
from audiocls.execution.slurm.profile import SlurmProfile, num_gpus
from audiocls.formatting import plural
from audiocls.studies.options import LaunchOptions
from audiocls.studies.slurm.visibility import unseen_notes

DEVICE = re.compile(r"(?P<kind>cuda|xpu|tpu)(?::(?P<number>\d+))?")
"""What `--devices` may name beside `auto` and `cpu`; each task numbers its own from 0."""


def require_workers(workers: int | None) -> None:
    """Raise `UsageError` where the number of tasks is not given."""
    if workers is None:
        raise UsageError(
            "--executor slurm: --workers is missing: the number of tasks that share the trials, "
            "such as --workers 8; each takes what the profile asks for"
        )


def require_cluster(profile: SlurmProfile) -> bool:
    """Return whether this SLURM's steps need `--overlap`.

    Raises `UsageError` where there is no SLURM, or no such partition, or none for so long.
    """
    release = commands.version()
    if "partition" in profile.options:
        time = profile.options.get("time", "")
        commands.require_partitions(profile.options["partition"], time)
    return release >= commands.STEPS_ARE_EXCLUSIVE


def require_devices(options: LaunchOptions, profile: SlurmProfile) -> None:
    """Raise `UsageError` for devices that a task of the profile does not have."""
    replace(options, executor="local").check_packs()
    gpus = num_gpus(profile.options)
    for word in options.devices.split(","):
        _require_device(word, gpus, "exclusive" in profile.options)
    if "exclusive" in profile.options and not gpus:
        return  # a whole node, whatever that has
    cores = profile.options.get("cpus-per-task", "1")
    is_gpu = gpus and options.devices != "cpu"
    there = gpus if is_gpu else int(cores) if cores.isdecimal() else 1
    if options.devices_per_trial > there:
        what = plural(there, "GPU" if is_gpu else "core")
        more = "gpus-per-task" if gpus else "cpus-per-task, or gpus-per-task"
        raise UsageError(
            f"--devices-per-trial: got {options.devices_per_trial}; a task of this profile has "
            f"{what}: raise {more}"
        )


def _require_device(word: str, gpus: int, is_exclusive: bool) -> None:
    if word in ("auto", "cpu"):
        return
    match = DEVICE.fullmatch(word)
    if match is None:
        raise UsageError(f"--devices: got {word!r}; allowed with --executor slurm: auto, cpu, cuda")
    if is_exclusive and not gpus:
        return
    if not gpus and match["kind"] != "tpu":
        raise UsageError(
            f"--devices: got {word!r}, and a task of this profile has no GPU: add gpus-per-task: 1"
        )
    if gpus and int(match["number"] or 0) >= gpus:
        raise UsageError(
            f"--devices: got {word!r}; a task of this profile has {plural(gpus, 'GPU')}, "
            "numbered from cuda:0 in each task"
        )


def device_kinds(profile: SlurmProfile) -> tuple[str, ...]:
    """Return the kinds of device that a task may have, as `device` of a recipe names them."""
    if num_gpus(profile.options):
        return ("cuda", "xpu", "cpu")
    return ("cpu", "cuda", "xpu", "tpu") if "exclusive" in profile.options else ("cpu", "tpu")


def advance_notes(options: LaunchOptions, profile: SlurmProfile) -> Iterator[str]:
    """Yield what is to be known before anything is submitted.

    Raises `UsageError` for folders that no compute node sees.
    """
    if shutil.which("sbatch") is None:
        yield "there is no sbatch here: options and partitions were not checked"
        return
    folders = {"--runs": options.runs.absolute(), "the working folder": Path.cwd()}
    yield from unseen_notes(folders, profile.options.get("partition", ""))
    asks_cores = {"cpus-per-task", "cpus-per-gpu"} & profile.options.keys()
    if "exclusive" in profile.options and not asks_cores and not num_gpus(profile.options):
        yield (
            "exclusive: a task gets a whole node, and trains one trial at a time on its cores: "
            "add cpus-per-task to have as many as that at once"
        )
