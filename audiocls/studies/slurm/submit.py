"""`launch_on_slurm`: a study becomes a job array, each of whose tasks is one launch of it."""

import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.execution.scheduler import GRACE_S
from audiocls.execution.slurm import commands
from audiocls.execution.slurm.profile import SlurmProfile, read_profile
from audiocls.execution.slurm.script import ArrayScript
from audiocls.formatting import plural
from audiocls.store import State, Study, StudyFolder, count_states, tuning_path
from audiocls.store.submissions import Submission, Submissions
from audiocls.studies.joining import STOPS
from audiocls.studies.launch import Outcome, Prepared, keep_plan
from audiocls.studies.options import GRACE, Display, LaunchOptions
from audiocls.studies.prepare import LaunchRequest, prepare
from audiocls.studies.request import SUBMITTED_WITH, check_without_effect, shared_words
from audiocls.studies.slurm.checks import (
    advance_notes,
    device_kinds,
    require_cluster,
    require_devices,
    require_workers,
)
from audiocls.studies.slurm.follow import follow
from audiocls.studies.slurm.tasks import tasks_of

KEPT = (
    *("AUDIOCLS_CACHE", "AUDIOCLS_PATH", "AUDIOCLS_TRUST"),
    *("PYTHONPATH", "WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT"),
)
"""Environment variables that the script sets for its tasks as they are here. Keys are not among
them: `sbatch` hands the environment on by itself, and a script is read by others."""

ENDING_S = 10.0
"""Of the time between SLURM's warning and its kill, what a launch needs after its last epoch."""


@dataclass(frozen=True)
class SlurmOptions:
    """What of a launch is meant for SLURM alone."""

    profile: Path | None = None
    changes: tuple[str, ...] = ()
    """Options of `sbatch` as `name=value`, which replace those of the profile."""
    is_detached: bool = False
    """Whether nobody waits for the tasks."""
    is_dry: bool = False
    """Whether nothing is submitted."""

    def words(self) -> Iterator[str]:
        """Yield what is asked of `sbatch`."""
        if self.profile is not None:
            yield from ("--profile", str(self.profile))
        for change in self.changes:
            yield from ("--slurm", change)

    def planned(self, executor: str, workers: int | None) -> SlurmProfile | None:
        """Return the profile of a plan; none for another executor, where nothing may be given."""
        LaunchOptions(Path(), executor=executor).check_known()
        self.check_has_effect(executor)
        if executor != "slurm":
            check_without_effect({"--workers": workers}, f"--executor is {executor}")
            return None
        require_workers(workers)
        return read_profile(self.profile, self.changes)

    def check_has_effect(self, executor: str) -> None:
        """Raise `UsageError` if one of them is given for another executor."""
        given = {
            "--profile": self.profile,
            "--slurm": self.changes or None,
            "--detach": self.is_detached or None,
            "--dry-run": self.is_dry or None,
        }
        if executor != "slurm":
            check_without_effect(given, f"it belongs to --executor slurm (got {executor})")


def launch_on_slurm(
    request: LaunchRequest, options: LaunchOptions, slurm: SlurmOptions, display: Display
) -> Outcome:
    """Submit a job array for a study; return how it ended, or that it was submitted.

    Raises `ConfigError` or `UsageError`, before anything is submitted, for a profile, a partition,
    a request or data that cannot be used, and with what `sbatch` says against the job.
    """
    profile = read_profile(slurm.profile, slurm.changes)
    overlaps = _check(request, options, profile, slurm, display)
    kinds = device_kinds(profile)
    here = replace(
        options, executor="local", devices="cpu", workers=None, devices_per_trial=1, submitted=kinds
    )
    prepared = prepare(request.read(), here, display, tunes_here=False)
    assert isinstance(prepared, Prepared), "no tuning trial is run here"
    study, is_replaced = (prepared.study, False) if slurm.is_dry else keep_plan(prepared)
    counts = _counts(prepared.folder, study)
    most = _most_tasks(prepared, study, counts)
    if most == 0 and not slurm.is_dry:
        return Outcome(study, counts, 0, None, is_replaced)
    assert options.workers is not None, "that was checked"
    num_tasks = min(options.workers, most or options.workers)
    if num_tasks < options.workers:
        display.note(f"{plural(num_tasks, 'task')}, for no more trials are left")
    grace_s = max(GRACE_S, profile.warning_s - ENDING_S)
    array = _script(request, options, prepared.folder, num_tasks, overlaps, grace_s)
    if slurm.is_dry:
        _try_out(array, profile, display)
        return Outcome(study, counts, 0, None, submitted=Submission(array.text(profile)))
    submission = _submit(prepared.folder, array, profile, display)
    outcome = Outcome(study, counts, 0, None, is_replaced, submitted=submission)
    display.note(submission.sentence(prepared.folder.path, study.of))
    return outcome if slurm.is_detached else follow(outcome, prepared.folder, display)


def _check(
    request: LaunchRequest,
    options: LaunchOptions,
    profile: SlurmProfile,
    slurm: SlurmOptions,
    display: Display,
) -> bool:
    """Raise `UsageError` for what SLURM cannot do; return whether its steps need `--overlap`."""
    require_workers(options.workers)
    why = "counts the trials of one launch, and each task is one; write `run_cap: N` into the sweep"
    if request.count is not None:
        raise UsageError(f"--count: {why}")
    options.ray.require_none()
    require_devices(options, profile)
    can_ask = not slurm.is_dry or shutil.which("sbatch") is not None
    overlaps = require_cluster(profile) if can_ask else True
    for text in advance_notes(options, profile):
        display.note(text)
    return overlaps


def _counts(folder: StudyFolder, study: Study) -> dict[State, int]:
    cells = folder.proposals() if study.kind == "search" and folder.exists() else study.cells
    return count_states(folder.states(cells))


def _most_tasks(prepared: Prepared, study: Study, counts: dict[State, int]) -> int | None:
    """Return the trials that are left, for no task has less; unknown where more may follow."""
    if study.kind in ("search", "tuning") or study.looks or prepared.blocked:
        return None
    return counts["pending"] + counts["running"]


def _script(
    request: LaunchRequest,
    options: LaunchOptions,
    folder: StudyFolder,
    num_tasks: int,
    overlaps: bool,
    grace_s: float,
) -> ArrayScript:
    stops = ",".join(filter(None, _stop_requests(folder)))
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return ArrayScript(
        study=folder.path,
        folder=Path.cwd(),
        words=(*request.words(), *_words(options)),
        num_tasks=num_tasks,
        devices=options.devices,
        environment={
            **kept,
            STOPS: stops,
            GRACE: f"{grace_s:g}",
            SUBMITTED_WITH: shlex.join(request.launch_options),
        },
        has_overlap=overlaps,
    )


def _words(options: LaunchOptions) -> Iterator[str]:
    """Yield the options of a task's launch, but for the workers, which depend on what it gets."""
    yield from ("--runs", str(options.runs.absolute()), "--executor", "local")
    yield from ("--devices", options.devices, "--wandb", options.mode())
    yield from shared_words(options)


def _stop_requests(folder: StudyFolder) -> Iterator[str]:
    """Yield the requests to stop that were made before, of the study and of its tuning trials."""
    main = folder.path.with_name(folder.study().of or folder.name) if folder.exists() else None
    for path in (main, tuning_path(main)) if main else ():
        yield StudyFolder(path).launches.stop_token()


def _try_out(array: ArrayScript, profile: SlurmProfile, display: Display) -> None:
    """Show what `sbatch` says of a job array that is not submitted, where there is one."""
    if shutil.which("sbatch") is not None:
        message = commands.test_only(array.text(profile), array.options(profile))
        display.note(f"sbatch --test-only: {message or 'no objection'}")


def _submit(
    folder: StudyFolder, array: ArrayScript, profile: SlurmProfile, display: Display
) -> Submission:
    """Submit a job array beside those that are in the queue; show what `sbatch` says of it."""
    for job in dict.fromkeys(task.job for task in tasks_of(folder) or ()):
        display.note(
            f"SLURM job {job} works on {folder.name} already; these tasks are added to its own"
        )
    submissions, script = Submissions(folder.path), array.text(profile)
    submissions.folder.mkdir(parents=True, exist_ok=True)
    job, message = commands.submit(script, array.options(profile))
    submissions.keep(job, script)
    if message:
        display.note(f"sbatch: {message}")
    return Submission(script, job, array.num_tasks)
