"""`Status`: how a launched study stands."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from audiocls.api.frames import Rows, frame_of
from audiocls.api.report import Report, report_of
from audiocls.formatting import command_line
from audiocls.render.build.status import failures, status
from audiocls.store import State, StudyFolder, count_states
from audiocls.store.lease import LEASE_S
from audiocls.studies import status as studies
from audiocls.studies.slurm.tasks import Tasks, queue_notes, tasks_of


@dataclass(frozen=True, repr=False)
class Status:
    """How many trials of a study are done, failed, running and pending, and what failed.

    >>> import audiocls
    >>> [row["cause"] for row in audiocls.status("dropout").rows()]  # doctest: +SKIP
    ['out_of_memory']
    """

    known: studies.Status
    """The state and the failure of each trial."""
    tuning: dict[str, dict[State, int]]
    """The study of its tuning trials, and how many of them are in each state."""
    damages: tuple[str, ...]
    """Damaged files that make no trial a failed one."""
    at_work: tuple[studies.AtWork, ...] = ()
    """The launches that work on it now."""
    tasks: Tasks = ()
    """Of its job arrays, pending and running; `None` where there is no `squeue` to tell."""

    @property
    def counts(self) -> dict[State, int]:
        """State → number of trials."""
        return count_states(self.known.states)

    @property
    def notes(self) -> tuple[str, ...]:
        """Who works on it, what failed and why, what is damaged, and what to do about it."""
        known = self.known
        failed = studies.failure_notes(known.folder) if known.failures else []
        runs = known.folder.path.parent
        tuning = [
            f"tuning: {', '.join(f'{count} {state}' for state, count in counts.items())}; more: "
            + command_line("sweep", "status", study, runs=runs)
            for study, counts in self.tuning.items()
        ]
        folders = (known.folder, *studies.tuning_of(known.folder))
        queue = queue_notes(self.tasks, *folders)
        return (*map(_sentence, self.at_work), *queue, *failed, *self.damages, *tuning)

    @cached_property
    def report(self) -> Report:
        """The table of arms and states, in every format but that of W&B."""
        stands = status(self.known, self.tuning, self.damages, self.at_work, self.tasks or ())
        return report_of(stands)

    def rows(self) -> Rows:
        """Return a dict for each failed trial: its cause, its message and its log."""
        return failures(self.known)

    def frame(self, backend: str | None = None) -> Any:
        """Return `rows` as a frame of pandas or polars, whichever is there."""
        return frame_of(self.rows(), backend)

    def __repr__(self) -> str:
        return "\n".join([repr(self.report), *self.notes])

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def status_on(folder: StudyFolder) -> Status:
    """Return how the study in a folder stands; raises `UsageError` where nothing was launched."""
    known = studies.status_of(folder)
    tuning = {
        each.name: count_states(studies.status_of(each).states)
        for each in studies.tuning_of(folder)
    }
    damages = tuple(studies.damage_notes(folder, known.cells))
    tasks = tasks_of(folder, *studies.tuning_of(folder))
    return Status(known, tuning, damages, tuple(studies.at_work(folder)), tasks)


def _sentence(at: studies.AtWork) -> str:
    silent = f", silent for {at.silent_s:.0f} s" if at.silent_s > LEASE_S else ""
    return f"at work since {at.launch.started}: {at.launch.who}{silent}"
