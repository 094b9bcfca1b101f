"""`TrialJob`: one trial to run, as a value that can be sent to another process.

A native job trains a resolved configuration (`NativeSpec`); a command job runs an external program
(`CommandSpec`). All else, tracking included, is the same for both.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from audiocls.formatting import format_arm
from audiocls.store import Cell, StudyFolder, TrialFolder
from audiocls.tracking import WandbMode

if TYPE_CHECKING:
    from audiocls.config import Config

LONGEST_TAG = 64
"""Characters of a tag that W&B accepts."""


@dataclass(frozen=True)
class TrackingConfig:
    """Where the metrics of a trial go, besides its own folder."""

    mode: WandbMode
    project: str
    entity: str = ""
    """W&B entity; empty means the user's default."""
    has_tensorboard: bool = False
    has_model: bool = False
    """Whether the trained model is uploaded to W&B as an artifact."""
    sweep_id: str = ""
    """W&B sweep that the run belongs to; empty if there is none."""
    run_id: str = ""
    """W&B run that a server has opened for the trial; empty means a run of the trial's own."""
    is_awaited: bool = False
    """Whether the next trial is chosen by this run's metrics, so that its upload ends first."""
    tags: tuple[str, ...] = ()

    def tagged(self, recipe: str) -> "TrackingConfig":
        """Return a copy whose runs carry the name of `recipe`, a name or a path, as their tag."""
        return replace(self, tags=(Path(recipe).stem[:LONGEST_TAG],))


@dataclass(frozen=True)
class NativeSpec:
    """A configuration to train, in a worker or in this process."""

    arm: str
    config: Mapping[str, Any]
    """The resolved configuration, as JSON values."""
    data_fingerprint: str


@dataclass(frozen=True)
class CommandSpec:
    """Anybody's program to run, which logs to W&B."""

    cwd: str
    """Working directory of the program."""
    program: str = ""
    command: tuple[str, ...] = ()
    """As written in the sweep file, with its macros; empty means W&B's default command."""
    metric: str = ""
    """Metric that a successful program must have logged; empty if none is required."""
    timeout_s: float | None = None
    code: str = ""
    """Digest of the program's files; empty where none is known."""
    block: Mapping[str, int] = field(default_factory=dict)
    """The trial's `seed` and `fold`, as far as it has them, for the program's environment."""


S_co = TypeVar("S_co", bound=NativeSpec | CommandSpec, covariant=True)
S = TypeVar("S", bound=NativeSpec | CommandSpec)


@dataclass(frozen=True)
class TrialJob(Generic[S_co]):
    """One trial: what to run (`spec`), where its files go, how it is tracked."""

    id: str
    label: str
    """What differs from the other trials of the study, for people."""
    study: str
    study_folder: Path
    """The study's folder, where trackers keep their files."""
    trial: TrialFolder
    spec: S_co
    tracking: TrackingConfig
    seed: int = 0
    fold: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """As a search proposed them: dotted names, or nested mappings."""

    def to_json(self) -> str:
        """Return the job as one line, without its line break."""
        return json.dumps(asdict(self), default=str)


NativeJob = TrialJob[NativeSpec]
CommandJob = TrialJob[CommandSpec]
AnyJob = TrialJob[NativeSpec | CommandSpec]


def job_from_json(line: str, spec_type: type[S]) -> TrialJob[S]:
    """Return the job that `TrialJob.to_json` wrote of a job with a `spec_type`."""
    fields = json.loads(line)
    restored = {
        "study_folder": Path(fields["study_folder"]),
        "trial": TrialFolder(Path(fields["trial"]["path"]), fields["trial"]["token"]),
        "spec": spec_type(**_with_tuples(fields["spec"])),
        "tracking": TrackingConfig(**_with_tuples(fields["tracking"])),
    }
    return TrialJob(**{**fields, **restored})


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
    }


def native_job(
    folder: StudyFolder,
    cell: Cell,
    config: "Config",
    data_fingerprint: str,
    tracking: TrackingConfig,
    parameters: Mapping[str, Any] | None = None,
) -> NativeJob:
    """Return the job that trains one cell of a study; its seed and fold are those of `config`."""
    return TrialJob(
        id=cell.id,
        label=f"{format_arm(cell.arm)} {cell.block_label(config.data.num_folds)}",
        study=folder.tracked_name,
        study_folder=folder.path,
        trial=folder.trial(cell.id),
        spec=NativeSpec(cell.arm, config.model_dump(mode="json"), data_fingerprint),
        tracking=tracking,
        seed=cell.seed,
        fold=cell.fold,
        parameters=parameters or {},
    )
