"""`audiocls sweep launch`, the main job: ablations and sweeps alike, to their end and answer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from audiocls import console, library, yaml_file
from audiocls.atomic import write_text
from audiocls.cli import options as o
from audiocls.cli import tuning
from audiocls.cli.options import cache_folder
from audiocls.cli.searches import SweepRequest, search, sweep_request
from audiocls.cli.studies import AblationRequest, LaunchOptions, request, resolved, run_study
from audiocls.cli.sweep_status import again, show_failures
from audiocls.cli.until_decided import checked
from audiocls.design.register import PROJECT
from audiocls.errors import UsageError, did_you_mean
from audiocls.render import build
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.formats.terminal import show
from audiocls.store import StudyFolder, folder_name, tuning_path
from audiocls.studies.launch import Outcome, SweepOutcome
from audiocls.studies.reports import load_ranking, load_report
from audiocls.wandb_server.registered import grid_of

WHY = {"signal": "stopped", "budget": "out of time", "failures": "given up: every trial failed"}

StudyOption = Annotated[
    str | None, typer.Option("--study", help="Folder's name; default: the file's own name.")
]
MaxHoursOption = Annotated[
    float | None, typer.Option("--max-hours", min=0.0, help="Stop, resumably, after this.")
]
RetriesOption = Annotated[
    int, typer.Option("--retries", min=0, help="Try a failed trial again so many times.")
]
CountOption = Annotated[
    int | None, typer.Option("--count", min=1, help="Sweeps: new trials of this launch, at most.")
]
TrialHoursOption = Annotated[
    float | None,
    typer.Option("--trial-hours", min=0.0, help="Other programs: end a trial after this."),
]
UntilDecidedOption = Annotated[
    bool, typer.Option("--until-decided", help="Ablations: add seeds until all is decided.")
]
MaxPairsOption = Annotated[
    int | None,
    typer.Option("--max-pairs", min=2, help="Until decided: at most so many; default: 10 × own."),
]


def launch(
    name: o.NameArgument,
    recipe: o.RecipeOption = None,
    assignments: o.SetOption = None,
    seeds: o.SeedsOption = None,
    folds: o.FoldsOption = None,
    arms: o.ArmsOption = None,
    study: StudyOption = None,
    runs: o.RunsOption = o.RUNS,
    executor: o.ExecutorOption = "local",
    devices: o.DevicesOption = "auto",
    workers: o.WorkersOption = None,
    max_hours: MaxHoursOption = None,
    retries: RetriesOption = 0,
    count: CountOption = None,
    trial_hours: TrialHoursOption = None,
    until_decided: UntilDecidedOption = False,
    max_pairs: MaxPairsOption = None,
    wandb: o.WandbOption = None,
    tensorboard: o.TensorboardOption = False,
    log_model: o.LogModelOption = False,
) -> None:
    """Run every missing cell of an ablation or a W&B sweep, then print its answer.

    Launch again to go on.
    """
    means = LaunchOptions(
        runs, wandb, executor, devices, workers, max_hours, retries, tensorboard, log_model
    )
    require_folder(study)
    _refuse_beside_a_server(means, {"--count": count, "--trial-hours": trial_hours})
    if (sweep := sweep_named(name)) is None:
        refuse({"--count": count, "--trial-hours": trial_hours}, f"{name} is an ablation")
        asked = ablation_named(name, recipe, assignments, seeds, folds, arms)
        return _launch_ablation(_growing(asked, until_decided, max_pairs), study, means)
    growth = {"--until-decided": until_decided or None, "--max-pairs": max_pairs}
    refuse({"--seeds": seeds, "--folds": folds, "--arms": arms, **growth}, f"{name} is a sweep")
    limits = {"max_new": count, "timeout_s": trial_hours and trial_hours * 3600}
    return _launch_sweep(sweep_request(sweep, assignments, study, recipe, **limits), means)


def _growing(
    asked: AblationRequest, is_until_decided: bool, max_pairs: int | None
) -> AblationRequest:
    if not is_until_decided:
        refuse({"--max-pairs": max_pairs}, "nothing is added without --until-decided")
    return replace(asked, is_until_decided=is_until_decided, max_pairs=max_pairs)


def sweep_named(name: str) -> str | None:
    """`name` if it means a W&B sweep of its own, and not an ablation or the sweep of one."""
    is_path = name.endswith((".yaml", ".yml"))
    is_other = name in library.available("ablations") or name not in library.available("sweeps")
    if not is_path and is_other:
        _require_known(name)
        return None
    document = yaml_file.read(library.find("sweeps", name))
    is_sweep = "method" in document or "parameters" in document
    return name if is_sweep and library.registered_ablation(document) is None else None


def _require_known(name: str) -> None:
    """Neither kind alone is all that could be meant."""
    known = {**library.available("ablations"), **library.available("sweeps")}
    if name not in known:
        raise UsageError(
            f"no ablation or sweep is called {name!r}; known: {', '.join(known) or 'none'}."
            f"{did_you_mean(name, known)} A path ends in .yaml or .yml"
        )


def ablation_named(
    name: str,
    recipe: str | None,
    assignments: list[str] | None,
    seeds: str | None,
    folds: str | None,
    arms: str | None,
) -> AblationRequest:
    """An ablation by its name; a registered sweep stands for the ablation it registers."""
    if name.endswith((".yaml", ".yml")):
        name = library.registered_ablation(yaml_file.read(library.find("sweeps", name))) or name
    return request(name, recipe, assignments, seeds, folds, arms)


def refuse(options: dict[str, object], why: str) -> None:
    """Nothing is skipped silently."""
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)}: no effect here, for {why}; leave it out")


def _refuse_beside_a_server(means: LaunchOptions, limits: dict[str, object]) -> None:
    """What a launch does with its trials, where a server orders them one by one."""
    if means.is_on_server:
        given = limits | {
            "--max-hours": means.max_hours,
            "--retries": means.retries or None,
            "--tensorboard": means.has_tensorboard or None,
            "--log-model": means.has_model or None,
            f"--wandb {means.wandb}": None if means.wandb == "online" else means.wandb,
        }
        refuse(given, "with --executor wandb a server orders the trials and hears of them")


def require_folder(study: str | None) -> None:
    """Raises `UsageError` for a study's name that no folder can have."""
    if study is not None and (not study or folder_name(study) != study):
        fits = folder_name(study)
        hint = f", such as {fits!r}" if fits else ""
        raise UsageError(f"--study: got {study!r}; wanted: the name of one folder{hint}")


def _launch_ablation(asked: AblationRequest, study: str | None, means: LaunchOptions) -> None:
    found = resolved(asked, study)
    for text in found.notes:
        console.note(text)
    if means.is_on_server:
        refuse({"--until-decided": asked.is_until_decided or None}, "a server orders the trials")
        refuse({"--study": study}, "a server's trials of an ablation are in the study of its name")
        tuning.refuse_tuning(asked.ablation, asked.name, "a server, which orders single cells,")
        _order(grid_of(found.study), asked.name, means)
        return
    first = tuning.ready(asked, found, means)
    if first.outcome is not None:
        print_summary(first.outcome, StudyFolder(tuning_path(means.runs / found.study.name)))
        tuning.show_blocked(first.blocked, found.study.name)
    if first.is_over:
        raise typer.Exit(first.exit_code)
    before = StudyFolder(means.runs / found.study.name)
    outcome = run_study(checked(first.found, before), first.means)
    folder = StudyFolder(means.runs / outcome.study.name)
    if outcome.is_replaced:
        console.note(
            f"{folder.name} held another plan before (other settings); its records stay in "
            f"{folder.path} and are used again if that plan is launched again. --study NAME keeps "
            "both plans."
        )
    if outcome.counts["done"]:
        show_report(folder, is_new=outcome.num_trained > 0 or outcome.is_replaced)
    print_summary(outcome, folder)
    if code := outcome.exit_code or first.exit_code:
        raise typer.Exit(code)


def _launch_sweep(asked: SweepRequest, means: LaunchOptions) -> None:
    if asked.own is not None:
        refuse({"--trial-hours": asked.timeout_s}, "its trials are our own; set train.epochs")
    if means.is_on_server:
        name = asked.study or asked.document.get("name") or asked.study_name
        config = {"project": PROJECT, **asked.document, "name": name}
        _order(None if asked.assignments or asked.recipe else config, asked.name, means)
        return
    outcome = search(asked, means)
    folder = StudyFolder(means.runs / asked.study_name)
    show(build.ranking(load_ranking(folder)))
    print_summary(outcome, folder)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def _order(config: Mapping[str, Any] | None, name: str, means: LaunchOptions) -> None:
    """Push the sweep, and run agents of it here."""
    from audiocls.cli.agent import launch_on_server

    if config is None:
        raise UsageError(
            f"--executor wandb: {name} is run on a server as its file says it; write what --recipe "
            "or --set changes into a file of its own"
        )
    launch_on_server(config, means)


def show_report(folder: StudyFolder, is_new: bool) -> None:
    """Print the verdicts, and write the page that holds them if something is new."""
    from audiocls.render.build.stored import stored_ablation
    from audiocls.render.formats.html import to_html

    report, clips, cache = load_report(folder), ClipsRequest(), cache_folder()
    show(stored_ablation(report, "terminal", clips, cache).document)
    page = folder.path / "report.html"
    if is_new or not page.exists():
        write_text(page, to_html(stored_ablation(report, "html", clips, cache).document))
    console.say(f"report: {page}")


def print_summary(outcome: Outcome | SweepOutcome, folder: StudyFolder) -> None:
    """What was done, what failed, and what to do next."""
    counts = outcome.counts
    reused = counts["done"] - outcome.num_trained
    console.note(f"{outcome.num_trained} trained, {reused} reused, {counts['failed']} failed")
    if outcome.notes:
        console.note(f"tracking lacked something in {len(outcome.notes)}: {outcome.notes[-1]}")
    if counts["failed"]:
        show_failures(folder)
    if outcome.stopped_by:
        left = counts["pending"] + counts["running"]
        cells = f": {left} cell{'s' * (left > 1)} to go" if left else ""
        console.note(f"{WHY[outcome.stopped_by]}{cells}. Go on with: {again(folder)}")
