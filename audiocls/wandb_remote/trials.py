"""What a server orders, as trials of this machine's studies.

A sweep whose command is `audiocls train …` is trained in our own persistent workers; any other is
started as `wandb agent` would start it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from audiocls.errors import ConfigError, UsageError
from audiocls.execution.device_claims import ClaimedSlots
from audiocls.execution.executors import Executor
from audiocls.execution.job import AnyJob, NativeJob, TrackingConfig
from audiocls.parts.origin import Origin, of_server
from audiocls.search import load_sweep
from audiocls.search.native_command import NativeCommand, parse_native_command
from audiocls.store import Proposal, Request, Study, StudyFolder, TrialFolder
from audiocls.studies.ablation import one_trial
from audiocls.studies.executors import open_local, open_programs
from audiocls.studies.launch import check_same_trials, write_plan
from audiocls.studies.program_ablation import ProgramStudy
from audiocls.studies.resolve import Resolved, job_of
from audiocls.studies.search import trials_of
from audiocls.studies.sources.search import Trials, impossible
from audiocls.studies.sweep_request import SweepRequest, check_has_program
from audiocls.tracking.sweep_server import ServerSweep, Start, SweepPath
from audiocls.wandb_remote.push import registered_sweep, save_registered_sweep
from audiocls.wandb_remote.source import report_rejected_run


class ServerTrials(Protocol):
    """From an order to a trial, and to where trials are run."""

    @property
    def is_native(self) -> bool:
        """Whether our own code trains, and not a program of the user's."""

    def job(self, start: Start) -> AnyJob | None:
        """Return the trial, made part of its study; none where it failed before it could begin."""

    def folder(self, start: Start) -> TrialFolder:
        """Return where it lies or would lie."""

    def executor(self, slots: ClaimedSlots) -> Executor[Any]:
        """Return an executor with one place for each slot."""


@dataclass(frozen=True)
class CellTrials:
    """Cells of an ablation, or trials that no search proposes."""

    sweep: ServerSweep
    native: NativeCommand
    runs: Path
    origin: Origin

    @property
    def is_native(self) -> bool:
        return True

    def job(self, start: Start) -> NativeJob:
        """Return the job of a cell; one that failed before is tried once more."""
        trial = self._resolved(start)
        folder = self._study(trial)
        with folder.planning():
            write_plan(folder, trial.study)
            _remember(folder, self.sweep.path)
        cell = trial.study.cells[0]
        folder.trial(cell.id).reset_failure()
        return job_of(cell, trial, folder, _tracking(self.sweep, start.run_id))

    def folder(self, start: Start) -> TrialFolder:
        """Return where the cell lies or would lie."""
        trial = self._resolved(start)
        return self._study(trial).trial(trial.study.cells[0].id)

    def executor(self, slots: ClaimedSlots) -> Executor[Any]:
        """Return persistent workers."""
        return open_local(slots, (self.runs / "workers.log").absolute())

    def _resolved(self, start: Start) -> Resolved:
        swept = [f"{name}={value}" for name, value in start.parameters.items()]
        source = {self.native.option.removeprefix("--"): self.native.source}
        trial = one_trial([*self.native.assignments, *swept], **source, origin=self.origin)
        if isinstance(trial, ProgramStudy):
            raise UsageError(
                f"{self.native.source} runs a program: launch it with `audiocls sweep launch`, or "
                "run what `audiocls ablation register` writes with plain `wandb agent`"
            )
        return trial

    def _study(self, trial: Resolved) -> StudyFolder:
        return StudyFolder((self.runs / trial.study.name).absolute())


@dataclass(frozen=True)
class ProposedTrials:
    """What the server proposes over one of our recipes, or for an external program.

    Kept as `sweep launch` keeps it, so that every command on studies reads it.
    """

    path: SweepPath
    request: SweepRequest
    trials: Trials
    study: StudyFolder

    @property
    def is_native(self) -> bool:
        return self.request.native is not None

    def job(self, start: Start) -> AnyJob | None:
        """Return the job of a proposal; one that failed before is tried once more."""
        try:
            proposal = Proposal(self._id_of(start), dict(start.parameters))
        except ConfigError as error:
            self._keep(impossible(self.study, dict(start.parameters), error))
            report_rejected_run(self.path, start, self.study, error)
            return None
        proposal = self._keep(proposal)
        self.study.trial(proposal.id).reset_failure()
        return self.trials.job_of(proposal, start.run_id)

    def folder(self, start: Start) -> TrialFolder:
        """Return where the trial lies or would lie."""
        return self.study.trial(self._id_of(start))

    def executor(self, slots: ClaimedSlots) -> Executor[Any]:
        """Return persistent workers, or a process for each trial of an external program."""
        if not self.is_native:
            return open_programs(slots)
        return open_local(slots, self.study.path.parent / "workers.log")

    def _id_of(self, start: Start) -> str:
        """Return the id of a native trial; another program's may differ each time it is run."""
        is_foreign = self.request.native is None
        return start.run_id if is_foreign else self.trials.id_of(start.parameters)

    def _keep(self, proposal: Proposal) -> Proposal:
        """Store a proposal; return it as it was first proposed."""
        with self.study.planning():
            if not self.study.exists():
                self.study.write_study(_study_of(self.request, self.path))
            _remember(self.study, self.path)
            known = [each for each in self.study.proposals() if each.id == proposal.id]
            if not known:
                self.study.propose(proposal)
            return known[0] if known else proposal


def server_trials(
    sweep: ServerSweep, runs: Path, study: str | None = None, known: Collection[str] = ()
) -> ServerTrials:
    """Return how the sweep's trials are made; raise every error that any of them would have.

    `known` are own parts that the user's files name: what else the server names must be trusted.
    """
    origin = of_server(f"the sweep {sweep.path}").knowing(known)
    native = parse_native_command([str(word) for word in sweep.config.get("command") or ()])
    if native is not None and native.option == "--ablation":
        return CellTrials(sweep, native, runs, origin)
    request = replace(_request(sweep, native, study), origin=origin)
    folder = StudyFolder((runs / request.study_name).absolute())
    if folder.exists():
        check_same_trials(folder.study(), _study_of(request, sweep.path), runs)
    trials = trials_of(request, folder, _tracking(sweep))
    return ProposedTrials(sweep.path, request, trials, folder)


def _request(sweep: ServerSweep, native: NativeCommand | None, study: str | None) -> SweepRequest:
    """Return the sweep as `sweep launch` would have it from a file."""
    path = sweep.path
    document = {**sweep.config, "entity": path.entity, "project": path.project}
    checked = load_sweep(document, f"sweep {path}")
    check_has_program(checked, native, f"sweep {path}")
    return SweepRequest(str(path), Path(path.id), document, checked, native, study=study)


def _study_of(request: SweepRequest, path: SweepPath) -> Study:
    return request.to_study(Request("sweep agent", str(path), request.study))


def _tracking(sweep: ServerSweep, run_id: str = "") -> TrackingConfig:
    """Return where a run of the sweep is logged; `bayes` chooses the next by its metrics."""
    path, is_awaited = sweep.path, sweep.config.get("method") == "bayes"
    return TrackingConfig(
        "online", path.project, path.entity, sweep_id=path.id, run_id=run_id, is_awaited=is_awaited
    )


def _remember(folder: StudyFolder, path: SweepPath) -> None:
    """Keep what a study is registered as, unless it is registered already."""
    if registered_sweep(folder) is None:
        save_registered_sweep(folder, path)
