"""`Task`: one trial to be trained, as a value that can be sent to another process."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audiocls.config import Config
from audiocls.store import Cell, TrialFolder
from audiocls.tracking import WandbMode

LONGEST_TAG = 64
"""Characters that W&B takes."""


@dataclass(frozen=True)
class Task:
    """All that a worker needs; plain values only."""

    study: str
    cell: Cell
    config: Mapping[str, Any]
    data_fingerprint: str
    folder: str
    """The trial's folder."""
    study_path: str
    """The study's folder, where trackers keep their files."""
    wandb: WandbMode
    project: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What a sweep proposed, by its own names: W&B knows a trial of its grid again by these."""
    has_tensorboard: bool = False
    has_model: bool = False
    """Whether the trained model goes to W&B as an artifact."""
    entity: str = ""
    """W&B's; empty means the user's own."""
    run_id: str = ""
    """The W&B run that an agent's server named; empty means the trial's own."""
    sweep_id: str = ""
    """The W&B sweep that the run belongs to."""

    @property
    def id(self) -> str:
        return self.cell.id

    @property
    def trial(self) -> TrialFolder:
        return TrialFolder(Path(self.folder))

    @property
    def study_folder(self) -> Path:
        return Path(self.study_path)

    @property
    def label(self) -> str:
        """What differs from the other trials of the study."""
        return f"{self.cell.arm} s{self.cell.seed} f{self.cell.fold}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Task":
        fields = json.loads(text)
        return cls(**{**fields, "cell": Cell(**fields["cell"]), "tags": tuple(fields["tags"])})


@dataclass(frozen=True)
class Places:
    """Where a launch reads and writes."""

    study: Path
    cache: Path


@dataclass(frozen=True)
class Tracking:
    """Who is told of the trials of a launch."""

    wandb: WandbMode
    project: str
    has_tensorboard: bool = False
    has_model: bool = False
    """Whether W&B gets each trained model as an artifact."""
    entity: str = ""
    """W&B's; empty means the user's own."""
    sweep_id: str = ""
    """The W&B sweep that the study is registered as, where it is."""
    run_id: str = ""
    """The W&B run that somebody else has opened for the one trial of this launch."""


@dataclass(frozen=True)
class Setting:
    """What all trials of a launch have in common."""

    study: str
    recipe: str
    """Its name or path."""
    places: Places
    tracking: Tracking

    def task(self, cell: Cell, config: Config, data_fingerprint: str) -> Task:
        """The task of one cell, whose seed and fold are those of `config`."""
        return Task(
            study=self.study,
            cell=cell,
            config=config.model_dump(mode="json"),
            data_fingerprint=data_fingerprint,
            folder=str(self.places.study / "trials" / cell.id),
            study_path=str(self.places.study),
            wandb=self.tracking.wandb,
            project=self.tracking.project,
            tags=(Path(self.recipe).stem[:LONGEST_TAG],),
            has_tensorboard=self.tracking.has_tensorboard,
            has_model=self.tracking.has_model,
            entity=self.tracking.entity,
            run_id=self.tracking.run_id,
            sweep_id=self.tracking.sweep_id,
        )
