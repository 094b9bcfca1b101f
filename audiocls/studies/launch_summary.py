"""What a launch did and what to do next, as sentences."""

from contextlib import suppress
from pathlib import Path

from audiocls.machine.disk import in_mib
from audiocls.store import StudyFolder
from audiocls.studies.launch import Outcome, Reason
from audiocls.studies.status import failure_notes, launch_command, over_budget_lines

WHY: dict[Reason, str] = {
    "signal": "stopped",
    "budget": "out of time",
    "failures": "given up: every trial failed",
    "machine": "stopped by this machine",
    "devices": "done with what can be trained here",
    "program": "stopped, for the program was changed while its trials were run",
    "tasks": "all tasks have ended",
}


def summary_of(outcome: Outcome, runs: Path) -> list[str]:
    """Return what was done, what failed, and what to do next, as sentences."""
    counts, folder = outcome.counts, StudyFolder(runs / outcome.study.name)
    if outcome.submitted is not None:
        return [outcome.submitted.sentence(folder.path, outcome.study.of)]
    elsewhere = outcome.num_elsewhere
    reused = counts["done"] - outcome.num_trained - elsewhere
    by_others = f"{elsewhere} by other launches, " if elsewhere else ""
    ended = f"{by_others}{reused} reused, {counts['failed']} failed"
    lines = [f"{outcome.num_trained} trained, {ended}"]
    if reused > 0:
        lines.append(f"reused: {_origin(outcome, folder)}")
    lines += outcome.notes
    if outcome.fault:
        lines.append(outcome.fault + _needed(outcome, folder))
    if outcome.study.kind == "search":
        lines += over_budget_lines(folder)
    if counts["failed"]:
        lines += failure_notes(folder)
    if outcome.stopped_by is not None:
        left = counts["pending"] + counts["running"]
        cells = f": {left} cell{'s' * (left > 1)} to go" if left else ""
        again = launch_command(folder)
        lines.append(f"{WHY[outcome.stopped_by]}{cells}. Resume with: {again}")
    return lines


def _needed(outcome: Outcome, folder: StudyFolder) -> str:
    """Return about how much the cells to go will write, if finished ones tell."""
    counts = outcome.counts
    done = (file for file in folder.path.glob("trials/*/record.json"))
    sizes = [_num_bytes(file.parent) for file in done]
    num_left = counts["pending"] + counts["running"]
    if not sizes or not num_left:
        return ""
    total = in_mib(num_left * sum(sizes) // len(sizes))
    return f". The cells to go write about {total} into {folder.path}"


def _num_bytes(trial: Path) -> int:
    """Return what the files of a trial hold; other launches may remove some meanwhile."""
    total = 0
    for file in trial.iterdir():
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def _origin(outcome: Outcome, folder: StudyFolder) -> str:
    """Return where the reused trials lie, and when they were trained, by which code."""
    search = outcome.study.search
    cells = folder.proposals() if search else outcome.study.cells
    finished = sorted(r.provenance.finished for r in folder.records(cells).values())
    early = finished[: len(finished) - outcome.num_trained - outcome.num_elsewhere]
    when = f", finished {early[0]} to {early[-1]}" if early and early[0] else ""
    code = f", by a program of digest {search.code}" if search and search.code else ""
    return f"{folder.path}/trials{when}{code}"
