"""`audiocls sweep list | show | plan | launch | status | retry`: the main job."""

import shlex
from collections import Counter
from typing import Annotated

import typer

from audiocls import console, shelf, yaml_file
from audiocls.cli import answer
from audiocls.cli import options as o
from audiocls.cli.plans import show_plan
from audiocls.cli.studies import Means, Request, open_study, request, resolved, see_through
from audiocls.errors import UsageError
from audiocls.run.launch import Outcome
from audiocls.store import StudyFolder, count_states

app = typer.Typer(no_args_is_help=True, help="Studies: plan, launch, status, retry.")


@app.command("list")
def list_(as_json: o.JsonOption = False) -> None:
    """Every registered sweep on the shelf."""
    found = {name: shelf.sweep(name) for name in shelf.on_shelf("sweeps")}
    if as_json:
        return console.show_json([{"name": name, **sweep} for name, sweep in found.items()])
    console.show_table(
        "Registered sweeps",
        ("name", "method", "description"),
        [(n, str(s.get("method")), str(s.get("description", ""))) for n, s in found.items()],
        text=("name", "method", "description"),
    )
    return None


@app.command()
def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """One sweep, in W&B's grammar."""
    sweep = shelf.sweep(name)
    return console.show_json(sweep) if as_json else console.say(yaml_file.dump(sweep))


@app.command()
def plan(
    name: o.NameArgument,
    recipe: o.RecipeOption = None,
    assignments: o.SetOption = None,
    seeds: o.SeedsOption = None,
    folds: o.FoldsOption = None,
    arms: o.ArmsOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Arms, cells, pairs, cost and what could be seen, before anything runs."""
    show_plan(_asked(name, recipe, assignments, seeds, folds, arms), as_json)


@app.command()
def launch(
    name: o.NameArgument,
    recipe: o.RecipeOption = None,
    assignments: o.SetOption = None,
    seeds: o.SeedsOption = None,
    folds: o.FoldsOption = None,
    arms: o.ArmsOption = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Folder's name; default: the ablation's.")
    ] = None,
    runs: o.RunsOption = o.RUNS,
    executor: o.ExecutorOption = "local",
    devices: o.DevicesOption = "auto",
    workers: o.WorkersOption = None,
    max_hours: Annotated[
        float | None, typer.Option("--max-hours", min=0.0, help="Stop, resumably, after this.")
    ] = None,
    wandb: o.WandbOption = None,
    tensorboard: o.TensorboardOption = False,
) -> None:
    """Train every missing cell of a study, then print its verdict; launch again to go on."""
    means = Means(runs, wandb, executor, devices, workers, max_hours, tensorboard)
    found = resolved(_asked(name, recipe, assignments, seeds, folds, arms), study)
    for text in found.notes:
        console.note(text)
    outcome = see_through(found, means)
    _conclude(outcome, StudyFolder(runs / outcome.study.name))


def _asked(
    name: str,
    recipe: str | None,
    assignments: list[str] | None,
    seeds: str | None,
    folds: str | None,
    arms: str | None,
) -> Request:
    """An ablation by its name; a registered sweep stands for the ablation it registers."""
    is_sweep_file = name.endswith((".yaml", ".yml")) and "method" in yaml_file.read(
        shelf.find("sweeps", name)
    )
    if is_sweep_file:
        name = shelf.registered_ablation(shelf.sweep(name), name)
    return request(name, recipe, assignments, seeds, folds, arms)


def _conclude(outcome: Outcome, folder: StudyFolder) -> None:
    """The answer as far as it is known, and what to do next."""
    name, counts = outcome.study.name, outcome.counts
    if outcome.is_replaced:
        console.note(
            f"{name} held another plan before (other settings); its records stay in {folder.path} "
            "and are used again if that plan is launched again. --study NAME keeps both plans."
        )
    if counts["done"]:
        _answer(folder, is_new=outcome.num_trained > 0 or outcome.is_replaced)
    reused = counts["done"] - outcome.num_trained
    console.note(f"{outcome.num_trained} trained, {reused} reused, {counts['failed']} failed")
    if counts["failed"]:
        show_failures(folder)
    if outcome.stopped_by:
        left = counts["pending"] + counts["running"]
        why = {"signal": "stopped", "budget": "out of time"}[outcome.stopped_by]
        again = _again(outcome.study.command, folder)
        console.note(f"{why}: {left} cells to go. Go on with: {again}")
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def _again(command: str, folder: StudyFolder) -> str:
    """The command that launches a study again where it lies."""
    runs = folder.path.parent
    return command if runs == o.RUNS else f"{command} --runs {shlex.quote(str(runs))}"


def _answer(folder: StudyFolder, is_new: bool) -> None:
    """The verdict, and the page that holds it, written again only if something is new."""
    found = answer.read(folder)
    answer.show(found)
    page = answer.html_path(found)
    if is_new or not page.exists():
        answer.write_html(found)
    console.say(f"report: {page}")


def show_failures(folder: StudyFolder) -> None:
    """Failed arms by name and cause, alike ones together."""
    study = folder.study()
    failures = folder.failures(study.cells)
    kinds = Counter(
        (cell.arm, failures[cell.id].cause, failures[cell.id].message)
        for cell in study.cells
        if cell.id in failures
    )
    for (arm, cause, message), count in kinds.items():
        console.note(f"{arm}: {count} failed ({cause}): {message}")
    console.note(
        f"tracebacks: {folder.path}/trials/*/failure.json; once mended: "
        f"audiocls sweep retry {study.name}"
    )


@app.command()
def status(
    name: o.StudyArgument, runs: o.RunsOption = o.RUNS, as_json: o.JsonOption = False
) -> None:
    """How many cells are done, failed, running and pending."""
    folder = open_study(name, runs)
    study = folder.study()
    states = folder.states(study.cells)
    counts = count_states(states)
    if as_json:
        failures = folder.failures(study.cells)
        failed = [
            {
                "id": c.id,
                "arm": c.arm,
                "seed": c.seed,
                "fold": c.fold,
                "cause": failures[c.id].cause,
                "message": failures[c.id].message,
            }
            for c in study.cells
            if c.id in failures
        ]
        return console.show_json({"study": study.name, "cells": counts, "failures": failed})
    rows = []
    for arm in study.arms:
        of_arm = count_states({c.id: states[c.id] for c in study.cells if c.arm == arm})
        rows.append((arm, *(str(count) for count in of_arm.values())))
    rows.append(("all", *(str(count) for count in counts.values())))
    console.show_table(study.name, ("arm", *counts), rows, text=("arm",))
    if counts["failed"]:
        show_failures(folder)
    return None


@app.command()
def retry(
    name: o.StudyArgument,
    runs: o.RunsOption = o.RUNS,
    arms: o.ArmsOption = None,
) -> None:
    """Make failed cells pending again; the next launch trains them."""
    folder = open_study(name, runs)
    study = folder.study()
    chosen = o.names(arms, list(study.arms)) or list(study.arms)
    unknown = [arm for arm in chosen if arm not in study.arms]
    if unknown:
        raise UsageError(f"{study.name} has no arm {unknown[0]!r}; arms: {', '.join(study.arms)}")
    failed = [c for c in study.cells if c.arm in chosen and folder.trial(c.id).failure()]
    for cell in failed:
        folder.trial(cell.id).forgive()
    again = _again(study.command, folder)
    console.say(f"{len(failed)} failed cells are pending again. Train them: {again}")
