"""`StudyFolder`: `runs/<study>/`, the plan as launched and a folder for each of its trials."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiocls import yaml_file
from audiocls.atomic import remove_abandoned, write_bytes, write_text
from audiocls.errors import UsageError, did_you_mean
from audiocls.machine import writing
from audiocls.store.content import study_in
from audiocls.store.launches import Launches
from audiocls.store.lease import Lease, held, named_holder_of
from audiocls.store.proposals import Proposal
from audiocls.store.record import Cell, Failure, Record, Study
from audiocls.store.request import Kind
from audiocls.store.stored_file import Damaged, read
from audiocls.store.trial import State, TrialFolder

LONGEST_NAME = 200
"""Bytes of a folder's name; file systems take 255."""
PLANNING_S = 3600.0
"""Most that another launch takes over the plan: a proposal may have new data decoded."""
TRACKED_AS = "tracked_as.txt"
"""Has the name under which W&B knows the runs of a study that was renamed."""
UNFIT = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]+")
"""What ends or splits the name of a folder, or is half a character."""


def folder_name(text: str) -> str:
    """Return `text` as the name of one folder that no command takes for an option; may be empty.

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
    def tracked_name(self) -> str:
        """The group of its runs at W&B: its name, or the first one that it had."""
        with suppress(OSError, UnicodeDecodeError):
            return (self.path / TRACKED_AS).read_text(encoding="utf-8") or self.name
        return self.name

    @property
    def _plan(self) -> Path:
        return self.path / "study.yaml"

    def trial(self, trial_id: str) -> TrialFolder:
        return TrialFolder(self.path / "trials" / trial_id)

    @property
    def _proposals(self) -> Path:
        return self.path / "proposals.jsonl"

    def exists(self) -> bool:
        """Whether something was launched here."""
        return self._plan.exists()

    def study(self) -> Study:
        """Return what was launched here; raises `UsageError` where nothing was."""
        if not self.exists():
            others = sorted(p.parent.name for p in self.path.parent.glob("*/study.yaml"))
            raise UsageError(
                f"no study {self.name!r} in {self.path.parent}; studies there: "
                f"{', '.join(others) or 'none'}.{did_you_mean(self.name, others)} "
                "`audiocls sweep list` and `audiocls ablation list` name what can be launched"
            )
        advice = (
            f"delete that file and launch the study again: what it has finished lies in "
            f"{self.path} and is used again"
        )
        study = read(self._plan, study_in, advice)
        assert study is not None, "its file was there a moment ago"
        return study

    def kind(self) -> Kind | None:
        """Return the kind of what was launched here; `None` where that cannot be read."""
        with suppress(Damaged):
            return self.study().kind if self.exists() else None
        return None

    def study_with_arms(self) -> Study:
        """Return what was launched here; raises `UsageError` for a search, which has no arms."""
        study = self.study()
        if study.kind == "search":
            raise UsageError(f"study {self.name!r} is a sweep: it has no arms to compare")
        return study

    def is_sweep(self) -> bool:
        """Whether a search was launched here."""
        return self.exists() and self.study().kind == "search"

    def write_study(self, study: Study) -> None:
        """Keep the plan of a study, in place of an earlier one."""
        if study.kind == "search":
            self.path.mkdir(parents=True, exist_ok=True)
            self._proposals.touch()
        write_text(self._plan, yaml_file.dump(study.to_mapping()), is_synced=True)

    def propose(self, proposal: Proposal) -> None:
        """Add a trial to a search, the latest last; a line torn by a kill is cut off first."""
        text = self._proposals.read_bytes() if self._proposals.exists() else b""
        if not text.endswith(b"\n") and text:
            write_bytes(self._proposals, text[: text.rfind(b"\n") + 1])
        with writing(self._proposals), self._proposals.open("a", encoding="utf-8") as file:
            file.write(proposal.to_line())
            file.flush()
            os.fsync(file.fileno())  # a search goes on from what it proposed

    def proposals(self) -> list[Proposal]:
        """Return the trials proposed so far for the study's program as it was launched last."""
        plan = self.study().search
        code = plan.code if plan else ""
        return [proposal for proposal in self.all_proposals() if proposal.code == code]

    def all_proposals(self) -> list[Proposal]:
        """Return every trial proposed so far, in order, without lines torn or damaged.

        Those of a program that was changed since are among them.
        """
        proposals, _ = self._read_proposals()
        return proposals

    def proposals_after(self, num_bytes: int) -> tuple[list[Proposal], int]:
        """Return the proposals that follow the first bytes of their file, and how long it is now.

        Those of a program that was changed since are among them.
        """
        with suppress(FileNotFoundError), self._proposals.open("rb") as file:
            file.seek(num_bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
            proposals = [self._proposal(0, line, []) for line in whole.split(b"\n") if line]
            return list(filter(None, proposals)), num_bytes + len(whole + newline)
        return [], num_bytes

    def _read_proposals(self) -> tuple[list[Proposal], list[Damaged]]:
        damages: list[Damaged] = []

        def parse(content: bytes) -> list[Proposal]:
            whole, _, _ = content.rpartition(b"\n")
            numbered = enumerate(whole.split(b"\n") if whole else (), start=1)
            proposals = [self._proposal(number, line, damages) for number, line in numbered]
            return [proposal for proposal in proposals if proposal is not None]

        return read(self._proposals, parse) or [], damages

    def _proposal(self, number: int, line: bytes, damages: list[Damaged]) -> Proposal | None:
        try:
            return Proposal.from_line(line)
        except (ValueError, TypeError, RecursionError) as error:
            why = f"line {number} is no proposal: {error}"
            advice = "the search goes on without that trial, or proposes it again"
            damages.append(Damaged(self._proposals, why, advice))
            return None

    def damages(self, cells: Sequence[Cell | Proposal]) -> list[Damaged]:
        """Return the damaged files that make no trial a failed one: plan and results are whole."""
        _, of_proposals = self._read_proposals()
        of_trials = (damage for cell in cells for damage in self.trial(cell.id).damages())
        return [*of_proposals, *of_trials]

    def cells(self) -> Sequence[Cell | Proposal]:
        """Return the trials of the study, of a search those proposed so far."""
        study = self.study()
        return self.proposals() if study.kind == "search" else study.cells

    @property
    def launches(self) -> Launches:
        """Who works on it now."""
        return Launches(self.path)

    @contextmanager
    def planning(self) -> Iterator[None]:
        """Hold the plan for the instant in which it is read, extended and written."""
        file = self.path / ".plan.lease"
        with held(Lease(file), PLANNING_S) as is_mine:
            if not is_mine:
                raise UsageError(
                    f"{file}: held by {named_holder_of(file)} for more than {PLANNING_S:.0f} s"
                )
            yield

    def remove_leftovers(self) -> None:
        """Remove what killed processes left, by the holder of the plan; trials sweep themselves.

        A trial is finished once it has a record: one that was killed then never begins again.
        """
        remove_abandoned(self.path)
        remove_abandoned(self.path / "trials")
        left = (*self.path.glob("trials/*/resume.pt"), *self.path.glob("trials/*/.lease"))
        for trial in map(TrialFolder, dict.fromkeys(file.parent for file in left)):
            # Who takes over a dead holder's lease removes it when giving it back.
            with suppress(OSError), trial.lease(timeout_s=0) as is_mine:
                if is_mine and trial.record() is not None:
                    trial.drop_resume()

    def states(self, cells: Sequence[Cell | Proposal]) -> dict[str, State]:
        """Return trial id → state; what has no folder is pending."""
        begun: Collection[str] = ()
        with suppress(FileNotFoundError, NotADirectoryError):
            begun = {folder.name for folder in (self.path / "trials").iterdir()}
        return {
            cell.id: self.trial(cell.id).state() if cell.id in begun else "pending"
            for cell in cells
        }

    def records(self, cells: Sequence[Cell | Proposal]) -> dict[str, Record]:
        """Return trial id → record, of the finished trials."""
        records = {cell.id: self.trial(cell.id).record() for cell in cells}
        return {trial_id: record for trial_id, record in records.items() if record is not None}

    def failures(self, cells: Sequence[Cell | Proposal]) -> dict[str, Failure]:
        """Return trial id → failure, of the trials whose last attempt failed."""
        failures = {cell.id: self.trial(cell.id).failure() for cell in cells}
        return {trial_id: each for trial_id, each in failures.items() if each is not None}

    def histories(self, cells: Sequence[Cell | Proposal]) -> dict[str, list[dict[str, Any]]]:
        """Return trial id → one mapping an epoch."""
        return {cell.id: self.trial(cell.id).history() for cell in cells}


def count_states(states: Mapping[str, State]) -> dict[State, int]:
    """Return how many trials are in each state, zeros included."""
    counts = Counter(states.values())
    return {state: counts[state] for state in ("done", "failed", "running", "pending")}


def is_same_question(before: Study, now: Study) -> bool:
    """Whether both train the same, and every arm that both have is the same in both."""
    common = before.identities.keys() & now.identities.keys()
    is_same = all(before.identities[arm] == now.identities[arm] for arm in common)
    return is_same and _trained(before) == _trained(now)


def _trained(study: Study) -> tuple[str, ...]:
    return study.recipe, study.program, study.code


def extended(before: Study, now: Study) -> Study:
    """Return `now` with what `before` has beyond it, or `now` alone if its question differs.

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
        wanted_effect=launched.wanted_effect,
        command=launched.command,
        request=launched.request,
        notes=tuple(dict.fromkeys((*before.notes, *now.notes))),
        over_budget={**before.over_budget, **now.over_budget},
        labels={k: v for k, v in before.labels.items() if k not in now.arms} | now.labels,
    )


def open_study(name: str, runs: Path) -> StudyFolder:
    """Return a launched study by its name in `runs`, or by the path of its folder."""
    is_path = "/" in name or (not (runs / name).exists() and Path(name, "study.yaml").exists())
    path = Path(name) if is_path else runs / name
    if not path.absolute().name:
        raise UsageError(f"{name}: no folder of a study; wanted: its name, or its folder's path")
    return StudyFolder(path)
