"""`train` and `noise`: one trial, and the baseline of an ablation on its seeds and folds."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from audiocls.api.arguments import (
    Assignments,
    Folder,
    Numbers,
    assignments_of,
    known_options,
    numbers_text,
    runs_folder,
)
from audiocls.api.display import Progress, display_of
from audiocls.api.frames import Rows, frame_of
from audiocls.api.noise import Noise
from audiocls.api.report import Report, report_of
from audiocls.api.study import raise_if_stopped, study_in
from audiocls.parts.origin import OWN_FILES, Origin, of_server
from audiocls.render.document import Document, Facts
from audiocls.store import Failure, Record, StudyFolder, TrialFolder
from audiocls.studies.ablation import one_trial, run_trial
from audiocls.studies.launch import Outcome
from audiocls.studies.noise import run_noise
from audiocls.studies.options import LaunchOptions, with_fork_server
from audiocls.studies.request import ablation_request
from audiocls.studies.resolve import Resolved


@dataclass(frozen=True, repr=False)
class Trial:
    """One trial: its metrics and its folder, which `predict`, `evaluate` and `export` take.

    >>> import audiocls
    >>> trial = audiocls.train("tiny", set={"train.epochs": 1})  # doctest: +SKIP
    >>> trial.metrics["test/accuracy"], audiocls.predict(trial.path, "clips")  # doctest: +SKIP
    """

    folder: TrialFolder
    outcome: Outcome
    """How its training ended."""

    @property
    def path(self) -> Path:
        """The trial's folder."""
        return self.folder.path

    @cached_property
    def record(self) -> Record | None:
        """What a finished trial leaves: metrics, cost, provenance; `None` for any other."""
        return self.folder.record()

    @property
    def failure(self) -> Failure | None:
        """Why the trial failed, if it did."""
        return self.folder.failure()

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics by name; empty where the trial is not finished."""
        return {} if self.record is None else dict(self.record.metrics)

    def rows(self) -> Rows:
        """Return a dict for each epoch."""
        return self.folder.history()

    def history(self, backend: str | None = None) -> Any:
        """Return a frame with a row an epoch."""
        return frame_of(self.rows(), backend)

    @property
    def report(self) -> Report:
        """Metrics, parameters, time and folder, in every format but that of W&B."""
        facts: dict[str, str] = {}
        if (record := self.record) is not None:
            facts = {name: f"{value:.4f}" for name, value in record.metrics.items()}
            cost = {"parameters": record.cost.num_params, "seconds": record.cost.wall_s}
            facts |= {name: str(value) for name, value in cost.items()}
        facts["folder"] = str(self.path)
        return report_of(Document(self.folder.id, (Facts(tuple(facts.items())),), self._values))

    def _values(self) -> dict[str, Any]:
        return {} if self.record is None else self.record.to_mapping()

    def __repr__(self) -> str:
        failure = f"failed ({self.failure.cause}): {self.failure.message}\n" if self.failure else ""
        return f"{failure}{self.report!r}"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


@known_options
def train(
    recipe: str | None = None,
    *,
    set: Assignments | None = None,
    ablation: str | None = None,
    config: str | None = None,
    runs: Folder | None = None,
    executor: str = "local",
    devices: str = "auto",
    wandb: str | None = None,
    tensorboard: bool = False,
    log_model: bool = False,
    devices_per_trial: int = 1,
    progress: Progress = True,
) -> Trial:
    """Train one trial, or reuse it if it is finished.

    Of a recipe, of a YAML file (`config`), or a cell of an ablation, whose arm, seed and fold are
    among what is `set`. A trial that failed says so in `failure`.

    >>> import audiocls
    >>> trial = audiocls.train("convnext1d-logmel", set={"train.epochs": 2})  # doctest: +SKIP
    >>> trial.metrics["test/accuracy"]  # doctest: +SKIP
    0.31
    """
    trial = one_trial(assignments_of(set) or [], recipe, ablation, config, _origin())
    options = LaunchOptions(
        runs_folder(runs), wandb, executor, devices, workers=1, has_tensorboard=tensorboard,
        has_model=log_model, run_id=os.environ.get("WANDB_RUN_ID", ""), is_single=True,
        devices_per_trial=devices_per_trial,
    )  # fmt: skip
    is_native = isinstance(trial, Resolved)
    with with_fork_server(options, trial.study.name, is_native) as ready:
        outcome = run_trial(trial, ready, display_of(progress))
    folder = StudyFolder(options.runs / trial.study.name)
    raise_if_stopped(study_in(folder, outcome))
    return Trial(folder.trial(trial.study.cells[0].id), outcome)


def _origin() -> Origin:
    """Return who chose the words of this call: of `wandb agent`, its server."""
    sweep = os.environ.get("WANDB_SWEEP_ID", "")
    return of_server(f"the sweep {sweep}") if sweep else OWN_FILES


@known_options
def noise(
    name: str,
    *,
    recipe: str | None = None,
    set: Assignments | None = None,
    seeds: Numbers | None = None,
    folds: Numbers | None = None,
    runs: Folder | None = None,
    executor: str = "local",
    devices: str = "auto",
    workers: int | None = None,
    wandb: str | None = None,
    progress: Progress = True,
) -> Noise:
    """Train an ablation's baseline on seeds and folds, and measure how much they matter.

    The same call resumes; with more seeds it adds them. `plan` then speaks in points.

    >>> import audiocls
    >>> audiocls.noise("dropout", seeds=range(3))  # doctest: +SKIP
    """
    numbers = numbers_text(seeds, "seeds"), numbers_text(folds, "folds")
    request = ablation_request(name, recipe, assignments_of(set), *numbers)
    options = LaunchOptions(runs_folder(runs), wandb, executor, devices, workers)
    with with_fork_server(options, request.study_name, not request.is_program) as ready:
        measured = run_noise(request, ready, display_of(progress))
    folder = StudyFolder(options.runs / measured.outcome.study.name)
    raise_if_stopped(study_in(folder, measured.outcome))
    return Noise(folder, measured.noise, measured.outcome)
