"""How an external program is started: its command line, its environment, its parameter files.

The environment is the one that `wandb agent` would set, so that a script written for W&B's sweeps
runs unchanged, with a server or without.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiocls import yaml_file
from audiocls.atomic import write_text
from audiocls.execution.devices import visible_devices
from audiocls.execution.external.result import result_variables
from audiocls.execution.job import CommandJob, TrackingConfig
from audiocls.result import OUTER_RANKS, ranks_of
from audiocls.search.command import arguments, as_json
from audiocls.tracking.sweep_server import offline_sweep_id

FLUSH_EVERY_S = "1"
"""Delay until logged metrics are on disk, in seconds; W&B's default of 15 is too late to stop."""
ACTIVATED = ("VIRTUAL_ENV", "CONDA_PREFIX")
"""Variables that an activated environment sets."""
HOOK = Path(__file__).parent / "hook"
"""Holds what every process of a program imports first; see its `sitecustomize`."""
AGENTS_OWN = (
    "WANDB_RUN_ID",
    "WANDB_SERVICE",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
)


def runs_folder(job: CommandJob) -> Path:
    """Return the folder of the program's W&B runs: the trial's own if tracking is disabled.

    There `audiocls sweep sync` does not find them.
    """
    folder = job.trial.path if job.tracking.mode == "disabled" else job.study_folder
    return folder.resolve()


def write_parameters(job: CommandJob) -> None:
    """Write the parameters in both forms in which a program may read them from a file."""
    values = {name: {"value": value} for name, value in job.parameters.items()}
    write_text(_parameters_file(job), yaml_file.dump({"wandb_version": 1, **values}))
    write_text(_json_file(job), as_json(job.parameters))


def _parameters_file(job: CommandJob) -> Path:
    return (job.trial.path / "parameters.yaml").resolve()


def _json_file(job: CommandJob) -> Path:
    return (job.trial.path / "parameters.json").resolve()


def command_line(job: CommandJob, environment: Mapping[str, str]) -> list[str]:
    """Return the words to execute, every macro filled in."""
    spec, file = job.spec, str(_json_file(job))
    return arguments(spec.command, spec.program, job.parameters, environment, file)


def program_words(
    command: Sequence[str], program: str, environment: Mapping[str, str]
) -> list[str]:
    """Return the words that are the same in every trial: those without parameters."""
    return arguments(command, program, {}, environment, "")


def program_environment(
    job: CommandJob, inherited: Mapping[str, str], device: str, run_id: str
) -> dict[str, str]:
    """Return the environment of the program; what the user has set is left alone.

    `TMPDIR` too: programs open sockets there (`multiprocessing`, data loaders), whose paths may
    have 107 bytes, which a folder of the study would soon exceed.
    """
    kept = {name: value for name, value in inherited.items() if name not in AGENTS_OWN}
    defaults = {
        "PYTHONUNBUFFERED": "1",
        "WANDB_RUN_GROUP": job.study,
        "WANDB__TRANSACTION_LOG_FLUSH_INTERVAL": FLUSH_EVERY_S,
        **({"OMP_NUM_THREADS": "1"} if device == "cpu" else {}),
    }
    return {
        **defaults,
        **kept,
        **visible_devices(inherited, device),
        "PATH": path_with_python(inherited),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HOOK), inherited.get("PYTHONPATH")])),
        "WANDB_DIR": str(runs_folder(job)),
        "WANDB_MODE": "online" if job.tracking.mode == "online" else "offline",
        "WANDB_PROJECT": job.tracking.project,
        "WANDB_RUN_ID": run_id,
        "WANDB_SWEEP_PARAM_PATH": str(_parameters_file(job)),
        **_membership(job.tracking, job.study),
        **result_variables(job.trial),
        OUTER_RANKS: ",".join(ranks_of(inherited)),
        **{f"AUDIOCLS_{name.upper()}": str(value) for name, value in job.spec.block.items()},
    }


def _membership(tracking: TrackingConfig, study: str) -> dict[str, str]:
    """Return what makes `wandb.init` ignore a project and an id in the code, as in every sweep.

    A sweep's id does, and a program may ask for it. Offline it is one of the study's own, which
    `sweep sync` takes out again, since a server refuses a run of a sweep that it does not know. For
    the same reason there is none online without a sweep there; that W&B Launch started the program
    has the same effect on `wandb.init`.
    """
    entity = {"WANDB_ENTITY": tracking.entity} if tracking.entity else {}
    if tracking.mode == "online" and not tracking.sweep_id:
        return {**entity, "WANDB_LAUNCH": "true"}
    return {**entity, "WANDB_SWEEP_ID": tracking.sweep_id or offline_sweep_id(study)}


def path_with_python(inherited: Mapping[str, str]) -> str:
    """Return a PATH on which `python` is the one of an activated environment, or else this one.

    For whoever calls `audiocls` by its path, without activating its environment: another `python`
    would lack the packages that the program imports.
    """
    path = inherited.get("PATH", os.defpath)
    if any(inherited.get(name) for name in ACTIVATED) and shutil.which("python", path=path):
        return path
    return os.pathsep.join(filter(None, [str(Path(sys.executable).parent), path]))
