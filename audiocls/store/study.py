"""`StudyFolder`: `runs/<study>/`, the plan as launched and a folder for each of its trials."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from audiocls import yaml_file
from audiocls.atomic import write_bytes, write_text
from audiocls.errors import UsageError, did_you_mean
from audiocls.store.record import Cell, Failure, Record, Study
from audiocls.store.sweep import Proposal, SweepStudy
from audiocls.store.trial import State, TrialFolder

LONGEST_NAME = 200
"""Bytes of a folder's name; file systems take 255."""
UNFIT = re.compile(r"[\x00-\x1f\x7f/\\]+")
"""What ends or splits the name of a folder."""


def folder_name(text: str) -> str:
    """`text` as the name of one folder, which no command takes for an option; may be empty.

    >>> folder_name("lr / batch size"), folder_name(".."), folder_name("--x")
    ('lr - batch size', '', 'x')
    """
    name = UNFIT.sub("-", text).strip(" .-")
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").strip()


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

    @property
    def _proposals(self) -> Path:
        return self.path / "proposals.jsonl"

    def is_sweep(self) -> bool:
        """Whether a sweep was launched here, and not an ablation."""
        return self._proposals.exists()

    def study(self) -> Study:
        """The plan as launched; raises `UsageError` where no ablation was launched."""
        if self.is_sweep():
            raise UsageError(f"study {self.name!r} is a sweep: it has no arms to compare")
        return Study.from_mapping(self._read_plan())

    def sweep_study(self) -> SweepStudy:
        """The sweep as launched; raises `UsageError` where nothing was launched."""
        return SweepStudy.from_mapping(self._read_plan())

    def _read_plan(self) -> dict[str, Any]:
        if not self._plan.exists():
            others = sorted(p.parent.name for p in self.path.parent.glob("*/study.yaml"))
            raise UsageError(
                f"no study {self.name!r} in {self.path.parent}; studies there: "
                f"{', '.join(others) or 'none'}.{did_you_mean(self.name, others)} "
                f"Start it with: audiocls sweep launch {self.name}"
            )
        return yaml_file.read_written(self._plan)

    def exists(self) -> bool:
        return self._plan.exists()

    def write_study(self, study: Study | SweepStudy) -> None:
        if isinstance(study, SweepStudy):
            self.path.mkdir(parents=True, exist_ok=True)
            self._proposals.touch()
        write_text(self._plan, yaml_file.dump(study.to_mapping()))

    def propose(self, proposal: Proposal) -> None:
        """One more trial of a sweep, the latest last; a line torn by a kill is cut off first."""
        text = self._proposals.read_bytes()
        if not text.endswith(b"\n") and text:
            write_bytes(self._proposals, text[: text.rfind(b"\n") + 1])
        with self._proposals.open("a", encoding="utf-8") as file:
            file.write(proposal.to_line())

    def proposals(self) -> list[Proposal]:
        """Every trial proposed so far, in order; a last line torn by a kill is left out."""
        whole, _, _ = self._proposals.read_text(encoding="utf-8").rpartition("\n")
        return [Proposal.from_line(line) for line in whole.splitlines()]

    def cells(self) -> Sequence[Cell | Proposal]:
        """The trials of an ablation, or those that a sweep has proposed so far."""
        return self.proposals() if self.is_sweep() else self.study().cells

    @contextmanager
    def launching(self) -> Iterator[None]:
        """Only one scheduler works on a study at a time; a second one is told so."""
        lock = FileLock(self.path / ".launch.lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=1)
            write_text(self.path / ".launcher", str(os.getpid()))
        except Timeout as error:
            raise UsageError(
                f"study {self.name!r} is being run by another process; wait for it, watch it with "
                f"`audiocls sweep status {shlex.quote(self.name)}`, or stop it with "
                f"`audiocls sweep stop {shlex.quote(self.name)}`"
            ) from error
        except OSError as error:
            raise UsageError(
                f"{self.path}: no study can be kept there: {error.strerror}; choose another "
                "folder with --runs DIR or AUDIOCLS_RUNS"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def launcher(self) -> int | None:
        """The process on this machine that launches this study now."""
        if not self.path.exists():
            return None
        lock = FileLock(self.path / ".launch.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return int((self.path / ".launcher").read_text())
        lock.release()
        return None

    @contextmanager
    def planning(self) -> Iterator[None]:
        """Held for the instant in which the plan is read, extended and written."""
        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / ".plan.lock"):
            yield

    def states(self, cells: Sequence[Cell | Proposal]) -> dict[str, State]:
        """Trial id → state."""
        return {cell.id: self.trial(cell.id).state() for cell in cells}

    def records(self, cells: Sequence[Cell | Proposal]) -> dict[str, Record]:
        """Trial id → record, of the finished trials."""
        found = {cell.id: self.trial(cell.id).record() for cell in cells}
        return {trial_id: record for trial_id, record in found.items() if record is not None}

    def failures(self, cells: Sequence[Cell | Proposal]) -> dict[str, Failure]:
        """Trial id → failure, of the trials whose last attempt failed."""
        found = {cell.id: self.trial(cell.id).failure() for cell in cells}
        return {trial_id: failure for trial_id, failure in found.items() if failure is not None}

    def histories(self, cells: Sequence[Cell | Proposal]) -> dict[str, list[dict[str, Any]]]:
        """Trial id → one mapping an epoch."""
        return {cell.id: self.trial(cell.id).history() for cell in cells}


def count_states(states: Mapping[str, State]) -> dict[State, int]:
    """How many trials are in each state, zeros included."""
    counts = Counter(states.values())
    return {state: counts[state] for state in ("done", "failed", "running", "pending")}


def is_same_question(before: Study, now: Study) -> bool:
    """Whether both have the same recipe, and every arm that both have is the same in both."""
    common = before.identities.keys() & now.identities.keys()
    is_same = all(before.identities[arm] == now.identities[arm] for arm in common)
    return is_same and before.recipe == now.recipe


def extended(before: Study, now: Study) -> Study:
    """`now` together with what `before` has beyond it, or `now` alone if it asks something else.

    A study grows: seeds, folds and arms that were launched once stay in its family, so that no
    arm can leave it because of its result. Where an arm that both have is not the same in both
    (a default, an override, its data), `before` was another study and leaves the plan. A study that
    grows until it is decided stays one.
    """
    if not is_same_question(before, now):
        return now
    launched = now if now.looks or not before.looks else before
    known = {(cell.arm, *cell.block) for cell in before.cells}
    new = tuple(cell for cell in now.cells if (cell.arm, *cell.block) not in known)
    return replace(
        now,
        baseline=now.baseline if now.baseline in before.arms else before.baseline,
        arms={**before.arms, **now.arms},
        identities={**before.identities, **now.identities},
        references={**before.references, **now.references},
        tuning=now.tuning and now.tuning.with_before(before.tuning),
        cells=(*before.cells, *new),
        looks=before.looks or now.looks,
        max_pairs=launched.max_pairs,
        command=launched.command,
        notes=tuple(dict.fromkeys((*before.notes, *now.notes))),
    )
