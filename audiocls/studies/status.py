"""How a launched study stands: states and failures, what to retry, how to launch or stop it."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.execution.slurm.commands import QueuedTask
from audiocls.formatting import command_line, join_names, plural
from audiocls.search import Sweep, fixed_keys, load_sweep
from audiocls.store import Cell, Damaged, Failure, Proposal, State, Study, StudyFolder, tuning_path
from audiocls.store.launches import LaunchInfo
from audiocls.store.submissions import Submissions
from audiocls.studies.labels import labels_of, names_of, words_of
from audiocls.studies.named_studies import find_study
from audiocls.studies.native_trials import label_of
from audiocls.studies.options import names
from audiocls.studies.request import relaunch_line
from audiocls.studies.slurm.tasks import cancel_pending
from audiocls.studies.tuning.choosing import blocking_trials

MAX_NAMED = 3
STOP_PATIENCE_S, STOP_LOOK_S = 15.0, 0.1
"""A launch ends within 5 s of a request, but for a trial that runs in its own process."""
VARYING = re.compile(r"\b[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Status:
    """A study's trials and how they stand, by trial id."""

    folder: StudyFolder
    cells: Sequence[Cell | Proposal]
    states: dict[str, State]
    failures: dict[str, Failure]
    name_of: Callable[[Cell | Proposal], str]
    """Return what distinguishes a trial: its arm, or the parameters that are searched."""

    @property
    def arms(self) -> dict[str, str]:
        """Trial id → arm; empty for a search."""
        return {cell.id: cell.arm for cell in self.cells if isinstance(cell, Cell)}

    def block_of(self, cell: Cell | Proposal) -> dict[str, int]:
        """Return seed and fold of a cell; nothing for a trial of a search."""
        return {"seed": cell.seed, "fold": cell.fold} if isinstance(cell, Cell) else {}


@dataclass(frozen=True)
class Stopped:
    """Launches that were asked to stop, and those that had not by the end of the wait."""

    study: str
    asked: tuple[LaunchInfo, ...]
    """None where nobody launches the study."""
    left: tuple[LaunchInfo, ...]
    command: str
    """The command line that resumes it."""
    cancelled: tuple[QueuedTask, ...] = ()
    """Tasks of its job arrays that were pending."""
    is_queue_unknown: bool = False
    """Whether a job array was submitted, and there is no `squeue` here to tell of its tasks."""

    @property
    def queue_notes(self) -> tuple[str, ...]:
        """What became of tasks that were pending."""
        if self.is_queue_unknown:
            return ("no squeue answers here: a task that is pending ends as soon as it begins",)
        tasks = plural(len(self.cancelled), "pending task")
        return (f"cancelled: {tasks}",) if self.cancelled else ()


def status_of(folder: StudyFolder) -> Status:
    """Return how a launched study stands; raises `UsageError` where nothing was launched."""
    study = folder.study()
    cells = folder.proposals() if study.kind == "search" else study.cells
    states = folder.states(cells)
    failed = [cell for cell in cells if states[cell.id] == "failed"]
    return Status(folder, cells, states, folder.failures(failed), naming(study, folder))


def naming(study: Study, folder: StudyFolder) -> Callable[[Cell | Proposal], str]:
    """Return what tells a trial's arm, or the parameters that are searched."""
    plan = study.search
    fixed = fixed_keys(sweep_of(folder, study).parameters) if plan else frozenset()
    words = words_of(study)

    def name_of(cell: Cell | Proposal) -> str:
        if isinstance(cell, Cell):
            return words.get(cell.arm, cell.arm)
        return label_of(cell.parameters, fixed)

    return name_of


def sweep_of(folder: StudyFolder, study: Study | None = None) -> Sweep:
    """Return the sweep that a search was launched with last."""
    plan = (study or folder.study()).search
    if plan is None:
        raise UsageError(f"study {folder.name!r} is no search")
    return load_sweep(plan.sweep, str(folder.path / "study.yaml"))


def open_begun(name: str, runs: Path) -> StudyFolder:
    """Return the study or, as long as nothing else of it exists, its tuning trials."""
    folder = find_study(name, runs)
    return folder if folder.exists() else next(iter(tuning_of(folder)), folder)


def tuning_of(folder: StudyFolder) -> list[StudyFolder]:
    """Return the study of its tuning trials, if it has any."""
    before = StudyFolder(tuning_path(folder.path))
    return [before] if before.exists() and before.study().kind == "tuning" else []


def failure_notes(folder: StudyFolder) -> list[str]:
    """Return what failed and by which cause, and what to do then, as sentences."""
    lines = list(failure_lines(folder))
    if folder.study().kind == "import":
        return [*lines, f"once mended where they were trained: {launch_command(folder)}"]
    return [
        *lines,
        f"more: {folder.path}/trials/*/failure.json and log.txt; "
        f"once mended: {retry_command(folder)}",
    ]


def retry_command(folder: StudyFolder) -> str:
    """Return the command that makes failed trials pending again."""
    return command_line("sweep", "retry", folder.name, runs=folder.path.parent)


def over_budget_lines(folder: StudyFolder) -> list[str]:
    """Return by how much those trials of a search exceed their budget that it left out."""
    proposals = folder.proposals()
    failures = folder.failures(proposals)
    over = [each for each in proposals if is_over_budget(failures.get(each.id))]
    if not over:
        return []
    name_of = status_of(folder).name_of
    return [f"{name_of(each)}: {failures[each.id].message}" for each in over]


def is_over_budget(failure: Failure | None) -> bool:
    """Whether the trial was left out as too large: a result, and nothing to mend."""
    return failure is not None and failure.cause == "over_budget"


def failure_lines(folder: StudyFolder) -> Iterator[str]:
    """Yield a sentence for each cause and message, with the trials that failed by it."""
    return lines_of(status_of(folder))


def lines_of(status: Status) -> Iterator[str]:
    """Yield a sentence for each cause and message among the failures of a status."""
    alike: dict[tuple[str, str], list[Cell | Proposal]] = {}
    for cell in status.cells:
        failure = status.failures.get(cell.id)
        if failure is not None and not is_over_budget(failure):
            alike.setdefault((failure.cause, _kind_of(failure.message)), []).append(cell)
    for (cause, _), cells in alike.items():
        named = join_names(dict.fromkeys(map(status.name_of, cells)), MAX_NAMED, separator="; ")
        log = status.folder.trial(cells[0].id).log
        where = f" ({log})" if log.exists() else ""
        message = status.failures[cells[0].id].message
        yield f"{named}: {len(cells)} failed ({cause}): {message}{where}"


def _kind_of(message: str) -> str:
    """Return a message without what differs from trial to trial: numbers and ids."""
    return VARYING.sub("#", message)


@dataclass(frozen=True)
class Retried:
    """What is pending again."""

    study: str
    num_failed: int
    damages: tuple[Damaged, ...]
    """Files for which finished trials are trained anew."""
    command: str
    """The command line that trains them."""


def retry_failed(folder: StudyFolder, arms: str | None = None) -> Retried:
    """Make failed and damaged trials pending again, of some arms or of all.

    With all arms, tuning trials that block a choice are among them.
    """
    trials = [folder.trial(cell.id) for cell in _of_arms(folder, arms)]
    for before in [] if arms else tuning_of(folder):
        trials += [before.trial(trial_id) for trial_id in blocking_trials(before)]
    num_failed = sum(trial.reset_failure() for trial in trials)
    damages = tuple(damage for trial in trials for damage in trial.reset_damage())
    return Retried(folder.name, num_failed, damages, launch_command(folder))


def damage_notes(folder: StudyFolder, cells: Sequence[Cell | Proposal]) -> list[str]:
    """Return a sentence for each damaged file that makes no trial a failed one."""
    return [str(damage) for damage in folder.damages(cells)]


def _of_arms(folder: StudyFolder, arms: str | None) -> Sequence[Cell | Proposal]:
    study = folder.study()
    if study.kind == "search":
        if arms:
            raise UsageError(f"{folder.name} is a sweep: it has no arms; leave --arms out")
        return folder.proposals()
    by_label = names_of(labels_of(study))
    given = names(arms, [*study.arms, *by_label]) or list(study.arms)
    chosen = [by_label.get(arm, arm) for arm in given]
    unknown = [arm for arm in chosen if arm not in study.arms]
    if unknown:
        raise UsageError(f"{study.name} has no arm {unknown[0]!r}; arms: {', '.join(study.arms)}")
    return [cell for cell in study.cells if cell.arm in chosen]


def launch_command(folder: StudyFolder) -> str:
    """Return the command that goes on with the last launch of a study, where it lies."""
    study = folder.study()
    num_trials = len(folder.proposals()) if study.kind == "search" else 0
    return relaunch_line(study, folder.path.parent, num_trials)


@dataclass(frozen=True)
class AtWork:
    """A launch that works on a study."""

    launch: LaunchInfo
    silent_s: float
    """Since it was heard of."""


def at_work(folder: StudyFolder) -> list[AtWork]:
    """Return the launches that work on a study or on its tuning trials now."""
    return [
        AtWork(launch, each.launches.silent_s(launch))
        for each in (folder, *tuning_of(folder))
        for launch in each.launches.alive()
    ]


def stop_launches(folder: StudyFolder, patience_s: float = STOP_PATIENCE_S) -> Stopped:
    """Ask every launch of the study to stop, on any host, and wait until they have.

    They end as by Ctrl-C there: what they hear is a file in the study. Tasks of a cluster that are
    pending are cancelled. Raises `UsageError` where there is no study.
    """
    folders = (folder, *tuning_of(folder))
    asked = [launch for each in folders for launch in each.launches.alive()]
    has_jobs = any(Submissions(each.path).jobs() for each in folders)
    again = launch_command(folder)
    for each in folders:
        if has_jobs or each.launches.alive():
            each.launches.request_stop()
    pending = cancel_pending(*folders)
    deadline = time.monotonic() + patience_s
    while (left := [at.launch for at in at_work(folder)]) and time.monotonic() < deadline:
        time.sleep(STOP_LOOK_S)
    still = tuple(each for each in asked if each in left)
    return Stopped(folder.name, tuple(asked), still, again, pending or (), pending is None)
