"""`audiocls sweep status | retry | stop`: where a launched study stands, and what to do then."""

import os
import shlex
import signal
from collections.abc import Sequence

from audiocls import console
from audiocls.cli import options as o
from audiocls.errors import UsageError
from audiocls.store import Cell, Proposal, StudyFolder, count_states, tuning_path
from audiocls.store.finding import open_study
from audiocls.studies.reports import failure_lines, naming_of
from audiocls.studies.tuning.choosing import holding_back


def status(
    name: o.StudyArgument, runs: o.RunsOption = o.RUNS, as_json: o.JsonOption = False
) -> None:
    """How many cells are done, failed, running and pending."""
    folder = _begun(open_study(name, runs))
    cells = folder.cells()
    states = folder.states(cells)
    counts = count_states(states)
    before = {each.name: count_states(each.states(each.cells())) for each in tuning_of(folder)}
    if as_json:
        failed = _failed(folder, cells)
        facts = {"study": folder.name, "cells": counts, "failures": failed}
        return console.show_json({**facts, **({"tuning": before} if before else {})})
    rows = []
    arms = {cell.id: cell.arm for cell in cells if isinstance(cell, Cell)}
    for arm in dict.fromkeys(arms.values()):
        of_arm = count_states({cell: states[cell] for cell in arms if arms[cell] == arm})
        rows.append((arm, *(str(count) for count in of_arm.values())))
    rows.append(("total", *(str(count) for count in counts.values())))
    kind = "arm" if arms else "trials"
    console.show_table(folder.name, (kind, *counts), rows, text=(kind,))
    if counts["failed"]:
        show_failures(folder)
    for study, of_tuning in before.items():
        told = ", ".join(f"{count} {state}" for state, count in of_tuning.items())
        console.note(f"tuning: {told}; more: audiocls sweep status {shlex.quote(study)}")
    return None


def tuning_of(folder: StudyFolder) -> list[StudyFolder]:
    """The study of its tuning trials, if it has any."""
    before = StudyFolder(tuning_path(folder.path))
    return [before] if before.exists() else []


def _begun(folder: StudyFolder) -> StudyFolder:
    """The study or, as long as nothing else of it exists, its tuning trials."""
    return folder if folder.exists() else next(iter(tuning_of(folder)), folder)


def _failed(folder: StudyFolder, cells: Sequence[Cell | Proposal]) -> list[dict[str, object]]:
    failures, name = folder.failures(cells), naming_of(folder)
    return [
        {
            "id": cell.id,
            "arm": name(cell),
            **({"seed": cell.seed, "fold": cell.fold} if isinstance(cell, Cell) else {}),
            "cause": failures[cell.id].cause,
            "message": failures[cell.id].message,
        }
        for cell in cells
        if cell.id in failures
    ]


def show_failures(folder: StudyFolder) -> None:
    """What failed and by which cause, and what to do then."""
    for line in failure_lines(folder):
        console.note(line)
    console.note(
        f"more: {folder.path}/trials/*/failure.json and log.txt; once mended: "
        f"audiocls sweep retry {shlex.quote(folder.name)}"
    )


def retry(
    name: o.StudyArgument,
    runs: o.RunsOption = o.RUNS,
    arms: o.ArmsOption = None,
) -> None:
    """Make failed cells pending again; the next launch trains them."""
    folder = _begun(open_study(name, runs))
    failed = [folder.trial(cell.id) for cell in _of_arms(folder, arms)]
    failed = [trial for trial in failed if trial.failure()]
    for before in [] if arms else tuning_of(folder):
        failed += [before.trial(cell_id) for cell_id in holding_back(before)]
    for trial in failed:
        trial.reset_failure()
    if not failed:
        console.say(f"{folder.name} has no failed cell.")
        return
    verb = "cells are" if len(failed) > 1 else "cell is"
    console.say(f"{len(failed)} failed {verb} pending again. Train: {again(folder)}")


def _of_arms(folder: StudyFolder, arms: str | None) -> Sequence[Cell | Proposal]:
    if folder.is_sweep():
        if arms:
            raise UsageError(f"{folder.name} is a sweep: it has no arms; leave --arms out")
        return folder.proposals()
    study = folder.study()
    chosen = o.names(arms, list(study.arms)) or list(study.arms)
    unknown = [arm for arm in chosen if arm not in study.arms]
    if unknown:
        raise UsageError(f"{study.name} has no arm {unknown[0]!r}; arms: {', '.join(study.arms)}")
    return [cell for cell in study.cells if cell.arm in chosen]


def again(folder: StudyFolder) -> str:
    """The command that launches a study again where it lies."""
    study = folder.sweep_study() if folder.is_sweep() else folder.study()
    runs = folder.path.parent
    where = "" if runs == o.RUNS else f" --runs {shlex.quote(str(runs))}"
    return study.command + where


def stop(name: o.StudyArgument, runs: o.RunsOption = o.RUNS) -> None:
    """Stop the launch of a study that runs elsewhere on this machine, as Ctrl-C there would."""
    folder = _begun(open_study(name, runs))
    launchers = [each.launcher() for each in (folder, *tuning_of(folder))]
    launcher = next((process for process in launchers if process is not None), None)
    if launcher is None:
        # Raises where there is no such study.
        folder.cells()
        console.say(f"{folder.name} is not running.")
        return
    os.kill(launcher, signal.SIGTERM)
    console.say(f"asked process {launcher} to stop. Go on with: {again(folder)}")
