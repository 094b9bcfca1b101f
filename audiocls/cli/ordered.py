"""What a server orders, as trials of this machine's studies.

A sweep whose command is `audiocls train …` is trained in our own persistent workers; any other is
started as `wandb agent` would start it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from audiocls.cli.options import cache_folder
from audiocls.cli.train import one_trial
from audiocls.run.command import Command
from audiocls.run.devices import Slots
from audiocls.run.executors import Executor
from audiocls.run.executors.commands import Commands
from audiocls.run.launch import write_plan
from audiocls.run.own_trials import label_of
from audiocls.run.resolve import Resolved
from audiocls.run.supply import Work
from audiocls.run.task import LONGEST_TAG, Places, Task, Tracking, task_of
from audiocls.search.own import OwnCommand, own_command
from audiocls.store import StudyFolder, TrialFolder
from audiocls.track.sweep_server import ServerSweep, Start


class Ordered(Protocol):
    """From an order to a trial, and to where trials are run."""

    def work(self, start: Start) -> Work:
        """The trial, made part of its study."""

    def folder(self, start: Start) -> TrialFolder:
        """Where it lies or would lie."""

    def executor(self, slots: Slots) -> Executor[Any]:
        """One place for each slot."""


@dataclass(frozen=True)
class OwnTrials:
    """Cells of an ablation, or variations of a recipe."""

    sweep: ServerSweep
    own: OwnCommand
    runs: Path
    cache: Path

    def work(self, start: Start) -> Task:
        found = self._found(start)
        folder = self._study(found)
        with folder.planning():
            write_plan(folder, found.study)
        cell = found.study.cells[0]
        # Asked for once more, a trial that failed is tried once more.
        folder.trial(cell.id).forgive()
        path = self.sweep.path
        tracking = Tracking("online", path.project, entity=path.entity, sweep_id=path.id)
        task = task_of(cell, found, Places(folder.path, self.cache), tracking)
        return replace(task, run_id=start.run_id)

    def folder(self, start: Start) -> TrialFolder:
        found = self._found(start)
        return self._study(found).trial(found.study.cells[0].id)

    def executor(self, slots: Slots) -> Executor[Any]:
        from audiocls.run.executors.local import Local

        return Local(slots, self.cache, (self.runs / "workers.log").absolute())

    def _found(self, start: Start) -> Resolved:
        swept = [f"{name}={value}" for name, value in start.parameters.items()]
        chosen = {self.own.option.removeprefix("--"): self.own.source}
        return one_trial([*self.own.assignments, *swept], **chosen)

    def _study(self, found: Resolved) -> StudyFolder:
        return StudyFolder((self.runs / found.study.name).absolute())


@dataclass(frozen=True)
class ForeignTrials:
    """Runs of anybody's program, kept in a study called as the sweep's id."""

    sweep: ServerSweep
    runs: Path

    def work(self, start: Start) -> Command:
        path, config = self.sweep.path, self.sweep.config
        return Command(
            id=start.run_id,
            label=label_of(start.parameters)[:LONGEST_TAG],
            study=path.id,
            folder=str(self.folder(start).path),
            study_path=str(self._study),
            parameters=start.parameters,
            cwd=str(Path.cwd()),
            project=path.project,
            wandb="online",
            program=str(config.get("program", "")),
            command=tuple(str(item) for item in config.get("command") or ()),
            entity=path.entity,
            run_id=start.run_id,
            sweep_id=path.id,
        )

    def folder(self, start: Start) -> TrialFolder:
        return StudyFolder(self._study).trial(start.run_id)

    def executor(self, slots: Slots) -> Executor[Any]:
        return Commands(slots)

    @property
    def _study(self) -> Path:
        return (self.runs / self.sweep.path.id).absolute()


def ordered(sweep: ServerSweep, runs: Path) -> Ordered:
    """How the sweep's trials are made."""
    own = own_command([str(word) for word in sweep.config.get("command") or ()])
    if own is None:
        return ForeignTrials(sweep, runs)
    return OwnTrials(sweep, own, runs, cache_folder().absolute())
