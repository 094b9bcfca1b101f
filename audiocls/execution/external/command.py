"""`Command`: one trial that is anybody's program, and all that the program is told.

The environment is the one that `wandb agent` would set, so that a script written for W&B's sweeps
runs unchanged, with a server or without.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls import yaml_file
from audiocls.atomic import write_text
from audiocls.execution.environment import visible_devices
from audiocls.search.command import arguments, as_json
from audiocls.store import TrialFolder
from audiocls.tracking import WandbMode

FLUSH_EVERY_S = "1"
"""How late what a program logs may be seen; W&B's own default of 15 is too late to stop it."""
ACTIVATED = ("VIRTUAL_ENV", "CONDA_PREFIX")
"""What an activated environment sets."""
AGENTS_OWN = ("WANDB_RUN_ID", "WANDB_SERVICE", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH")


@dataclass(frozen=True)
class Command:
    """A trial of a sweep that has a `program` or a `command`."""

    id: str
    """The trial's."""
    label: str
    study: str
    folder: str
    """The trial's folder."""
    study_path: str
    """The study's folder, where W&B's files are kept."""
    parameters: Mapping[str, Any]
    """As proposed: names to values, nested ones as nested mappings."""
    cwd: str
    """Where the program is started."""
    project: str
    wandb: WandbMode
    program: str = ""
    command: tuple[str, ...] = ()
    """As written, macros and all; empty means W&B's default command."""
    metric: str = ""
    """What has to be logged by a program that ends well; empty if nothing is sought."""
    entity: str = ""
    run_id: str = ""
    """The W&B run that a server named; empty means the trial's own."""
    sweep_id: str = ""
    """The W&B sweep that the run belongs to; empty if the server has none."""
    seed: int = 0
    fold: int = 0
    timeout_s: float | None = None

    @property
    def trial(self) -> TrialFolder:
        return TrialFolder(Path(self.folder))

    @property
    def runs_folder(self) -> Path:
        """Where the program's W&B runs are kept: apart, if nobody is to be told of them."""
        return Path(self.folder if self.wandb == "disabled" else self.study_path).resolve()

    @property
    def _parameters_file(self) -> Path:
        return Path(self.folder, "parameters.yaml").resolve()

    @property
    def _json_file(self) -> Path:
        return Path(self.folder, "parameters.json").resolve()

    def write_parameters(self) -> None:
        """In the two forms in which a program may read them from a file."""
        told = {name: {"value": value} for name, value in self.parameters.items()}
        write_text(self._parameters_file, yaml_file.dump({"wandb_version": 1, **told}))
        write_text(self._json_file, as_json(self.parameters))

    def arguments(self, environment: Mapping[str, str]) -> list[str]:
        """The command line, every macro filled in."""
        file = str(self._json_file)
        return arguments(self.command, self.program, self.parameters, environment, file)

    def environment(self, inherited: Mapping[str, str], device: str, run_id: str) -> dict[str, str]:
        """What the program finds set; what the user has set himself is left alone."""
        kept = {name: value for name, value in inherited.items() if name not in AGENTS_OWN}
        defaults = {
            "PYTHONUNBUFFERED": "1",
            "WANDB_RUN_GROUP": self.study,
            "WANDB__TRANSACTION_LOG_FLUSH_INTERVAL": FLUSH_EVERY_S,
            **({"OMP_NUM_THREADS": "1"} if device == "cpu" else {}),
        }
        return {
            **defaults,
            **kept,
            **visible_devices(inherited, device),
            "PATH": path_with_python(inherited),
            "WANDB_DIR": str(self.runs_folder),
            "WANDB_MODE": "online" if self.wandb == "online" else "offline",
            "WANDB_PROJECT": self.project,
            "WANDB_RUN_ID": run_id,
            "WANDB_SWEEP_PARAM_PATH": str(self._parameters_file),
            **({"WANDB_ENTITY": self.entity} if self.entity else {}),
            **self._membership(),
        }

    def _membership(self) -> dict[str, str]:
        """What makes `wandb.init` ignore a project and an id in the code, as in every sweep.

        A sweep's id does. Without a server there is none, and one made up here would have the
        server refuse the run later; that W&B Launch started the program has the same effect.
        """
        return {"WANDB_SWEEP_ID": self.sweep_id} if self.sweep_id else {"WANDB_LAUNCH": "true"}


def path_with_python(inherited: Mapping[str, str]) -> str:
    """The path on which `python` is the one of an activated environment, or else this one.

    Somebody who calls `audiocls` by its path, without activating its environment, means that
    environment: another `python` would lack what the program imports.
    """
    path = inherited.get("PATH", os.defpath)
    if any(inherited.get(name) for name in ACTIVATED) and shutil.which("python", path=path):
        return path
    return os.pathsep.join(filter(None, [str(Path(sys.executable).parent), path]))
