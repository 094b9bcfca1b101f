"""`StudyFolder`: `runs/<study>/`, the plan as launched and a folder for each of its trials."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from audiocls import yaml_file
from audiocls.errors import UsageError, nearest
from audiocls.store.atomic import write_text
from audiocls.store.record import Cell, Failure, Record, Study
from audiocls.store.trial import State, TrialFolder


@dataclass(frozen=True)
class StudyFolder:
    """One study on disk. Reading it needs neither torch nor the data."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def _plan(self) -> Path:
        return self.path / "study.yaml"

    def trial(self, trial_id: str) -> TrialFolder:
        return TrialFolder(self.path / "trials" / trial_id)

    def study(self) -> Study:
        """The plan as launched; raises `UsageError` where nothing was launched."""
        if not self._plan.exists():
            others = sorted(p.parent.name for p in self.path.parent.glob("*/study.yaml"))
            raise UsageError(
                f"no study {self.name!r} in {self.path.parent}; studies there: "
                f"{', '.join(others) or 'none'}.{nearest(self.name, others)} "
                f"Start it with: audiocls sweep launch {self.name}"
            )
        return Study.from_mapping(yaml_file.read(self._plan))

    def exists(self) -> bool:
        return self._plan.exists()

    def write_study(self, study: Study) -> None:
        write_text(self._plan, yaml_file.dump(study.to_mapping()))

    @contextmanager
    def launching(self) -> Iterator[None]:
        """Only one scheduler works on a study at a time; a second one is told so."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".launch.lock")
        try:
            lock.acquire(timeout=1)
        except Timeout as error:
            raise UsageError(
                f"study {self.name!r} is being run by another process; wait for it, watch it with "
                f"`audiocls sweep status {self.name}`, or stop it with Ctrl-C where it runs"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def planning(self) -> Iterator[None]:
        """Held for the instant in which the plan is read, extended and written."""
        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / ".plan.lock"):
            yield

    def states(self, cells: tuple[Cell, ...]) -> dict[str, State]:
        """Trial id → state."""
        return {cell.id: self.trial(cell.id).state() for cell in cells}

    def records(self, cells: tuple[Cell, ...]) -> dict[str, Record]:
        """Trial id → record, of the finished trials."""
        found = {cell.id: self.trial(cell.id).record() for cell in cells}
        return {trial_id: record for trial_id, record in found.items() if record is not None}

    def failures(self, cells: tuple[Cell, ...]) -> dict[str, Failure]:
        """Trial id → failure, of the trials whose last attempt failed."""
        found = {cell.id: self.trial(cell.id).failure() for cell in cells}
        return {trial_id: failure for trial_id, failure in found.items() if failure is not None}

    def histories(self, cells: tuple[Cell, ...]) -> dict[str, list[dict[str, Any]]]:
        """Trial id → one mapping an epoch."""
        return {cell.id: self.trial(cell.id).history() for cell in cells}


def count_states(states: Mapping[str, State]) -> dict[State, int]:
    """How many trials are in each state, zeros included."""
    counts = Counter(states.values())
    return {state: counts[state] for state in ("done", "failed", "running", "pending")}


def extended(before: Study, now: Study) -> Study:
    """`now` together with what `before` has beyond it, or `now` alone if it asks something else.

    A study grows: seeds, folds and arms that were launched once stay in its family, so that no
    arm can leave it because of its result. Where an arm that both have is not the same in both
    (a default, an override, its data), `before` was another study and leaves the plan.
    """
    common = before.identities.keys() & now.identities.keys()
    is_same = all(before.identities[arm] == now.identities[arm] for arm in common)
    if not is_same or before.recipe != now.recipe:
        return now
    known = {(cell.arm, *cell.block) for cell in before.cells}
    new = tuple(cell for cell in now.cells if (cell.arm, *cell.block) not in known)
    return replace(
        now,
        baseline=now.baseline if now.baseline in before.arms else before.baseline,
        arms={**before.arms, **now.arms},
        identities={**before.identities, **now.identities},
        cells=(*before.cells, *new),
        notes=tuple(dict.fromkeys((*before.notes, *now.notes))),
    )
