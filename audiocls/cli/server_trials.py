"""What a server orders, as trials of this machine's studies.

A sweep whose command is `audiocls train …` is trained in our own persistent workers; any other is
started as `wandb agent` would start it.
"""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from audiocls.cli.options import cache_folder
from audiocls.cli.searches import SweepRequest, require_program, trials_of
from audiocls.cli.train import one_trial
from audiocls.errors import ConfigError
from audiocls.execution.devices import Slots
from audiocls.execution.executors import Executor
from audiocls.execution.job import AnyJob, NativeJob, TrackingConfig
from audiocls.search import load_sweep
from audiocls.search.native_command import NativeCommand, parse_native_command
from audiocls.store import Proposal, StudyFolder, SweepStudy, TrialFolder
from audiocls.studies.launch import require_same, write_plan
from audiocls.studies.resolve import Resolved, job_of
from audiocls.studies.sources.search import Trials, impossible
from audiocls.tracking.sweep_server import ServerSweep, Start, SweepPath
from audiocls.wandb_server.push import registered_sweep, save_registered_sweep
from audiocls.wandb_server.source import report_rejected_run


class ServerTrials(Protocol):
    """From an order to a trial, and to where trials are run."""

    def work(self, start: Start) -> AnyJob | None:
        """The trial, made part of its study; none where it failed before it could begin."""

    def folder(self, start: Start) -> TrialFolder:
        """Where it lies or would lie."""

    def executor(self, slots: Slots) -> Executor[Any]:
        """One place for each slot."""


@dataclass(frozen=True)
class AblationTrials:
    """Cells of an ablation, or trials that no search proposes."""

    sweep: ServerSweep
    own: NativeCommand
    runs: Path
    cache: Path

    def work(self, start: Start) -> NativeJob:
        found = self._found(start)
        folder = self._study(found)
        with folder.planning():
            write_plan(folder, found.study)
            _remember(folder, self.sweep.path)
        cell = found.study.cells[0]
        # Asked for once more, a trial that failed is tried once more.
        folder.trial(cell.id).reset_failure()
        return job_of(cell, found, folder, _tracking(self.sweep.path, start.run_id))

    def folder(self, start: Start) -> TrialFolder:
        found = self._found(start)
        return self._study(found).trial(found.study.cells[0].id)

    def executor(self, slots: Slots) -> Executor[Any]:
        return _workers(slots, self.cache, self.runs)

    def _found(self, start: Start) -> Resolved:
        swept = [f"{name}={value}" for name, value in start.parameters.items()]
        chosen = {self.own.option.removeprefix("--"): self.own.source}
        return one_trial([*self.own.assignments, *swept], **chosen)

    def _study(self, found: Resolved) -> StudyFolder:
        return StudyFolder((self.runs / found.study.name).absolute())


@dataclass(frozen=True)
class SearchTrials:
    """What the server proposes over one of our recipes, or for anybody's program.

    Kept as `sweep launch` keeps it, so that every command on studies reads it.
    """

    path: SweepPath
    asked: SweepRequest
    trials: Trials
    study: StudyFolder
    cache: Path

    def work(self, start: Start) -> AnyJob | None:
        try:
            proposal = Proposal(self._id_of(start), dict(start.parameters))
        except ConfigError as error:
            self._keep(impossible(self.study, dict(start.parameters), error))
            report_rejected_run(self.path, start, self.study, error)
            return None
        proposal = self._keep(proposal)
        # Asked for once more, a trial that failed is tried once more.
        self.study.trial(proposal.id).reset_failure()
        return self.trials.work_of(proposal, start.run_id)

    def folder(self, start: Start) -> TrialFolder:
        return self.study.trial(self._id_of(start))

    def executor(self, slots: Slots) -> Executor[Any]:
        if self.asked.own is not None:
            return _workers(slots, self.cache, self.study.path.parent)
        from audiocls.execution.executors.subprocesses import SubprocessExecutor

        return SubprocessExecutor(slots)

    def _id_of(self, start: Start) -> str:
        """Of our own trials; anybody's program may end otherwise each time, so each run counts."""
        return start.run_id if self.asked.own is None else self.trials.id_of(start.parameters)

    def _keep(self, proposal: Proposal) -> Proposal:
        """As it was first proposed."""
        with self.study.planning():
            if not self.study.exists():
                self.study.write_study(_study_of(self.asked, self.path))
            _remember(self.study, self.path)
            known = [each for each in self.study.proposals() if each.id == proposal.id]
            if not known:
                self.study.propose(proposal)
            return known[0] if known else proposal


def ordered(sweep: ServerSweep, runs: Path, study: str | None = None) -> ServerTrials:
    """How the sweep's trials are made; raises what speaks against any of them, at once."""
    cache = cache_folder().absolute()
    own = parse_native_command([str(word) for word in sweep.config.get("command") or ()])
    if own is not None and own.option == "--ablation":
        return AblationTrials(sweep, own, runs, cache)
    asked = _request(sweep, own, study)
    folder = StudyFolder((runs / asked.study_name).absolute())
    require_same(folder, _study_of(asked, sweep.path))
    trials = trials_of(asked, folder, cache, _tracking(sweep.path))
    return SearchTrials(sweep.path, asked, trials, folder, cache)


def _request(sweep: ServerSweep, own: NativeCommand | None, study: str | None) -> SweepRequest:
    """The sweep as `sweep launch` would have it from a file."""
    path = sweep.path
    document = {**sweep.config, "entity": path.entity, "project": path.project}
    checked = load_sweep(document, f"sweep {path}")
    require_program(checked, own, f"sweep {path}")
    return SweepRequest(str(path), Path(path.id), document, checked, own, study=study)


def _study_of(asked: SweepRequest, path: SweepPath) -> SweepStudy:
    command = shlex.join(["audiocls", "sweep", "agent", str(path)])
    return replace(asked.launched(), command=command)


def _tracking(path: SweepPath, run_id: str = "") -> TrackingConfig:
    return TrackingConfig("online", path.project, path.entity, sweep_id=path.id, run_id=run_id)


def _remember(folder: StudyFolder, path: SweepPath) -> None:
    """What a study is registered as, unless it is something already."""
    if registered_sweep(folder) is None:
        save_registered_sweep(folder, path)


def _workers(slots: Slots, cache: Path, runs: Path) -> Executor[Any]:
    from audiocls.execution.executors.local import LocalExecutor

    return LocalExecutor(slots, cache, (runs / "workers.log").absolute())
