"""`audiocls sweep launch`: ablations and searches alike, to their end and their answer."""

from typing import Annotated

import typer

from audiocls import console
from audiocls.atomic import write_text
from audiocls.cli import options as o
from audiocls.cli.sweep.agent import run_on_server
from audiocls.console.progress import TerminalDisplay
from audiocls.errors import NotComparable
from audiocls.render import build
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.formats.terminal import show
from audiocls.store import StudyFolder
from audiocls.studies.launch import Outcome, summary_of
from audiocls.studies.launch import launch as launch_study
from audiocls.studies.options import LaunchOptions
from audiocls.studies.prepare import LaunchRequest, prepare
from audiocls.studies.reports import load_ranking, load_report
from audiocls.studies.request import AblationRequest, SweepRequest

MaxHoursOption = Annotated[
    float | None, typer.Option("--max-hours", min=0.0, help="Stop, resumably, after N hours.")
]
RetriesOption = Annotated[
    int, typer.Option("--retries", min=0, help="Retry a failed trial up to N times.")
]
CountOption = Annotated[
    int | None, typer.Option("--count", min=1, help="Sweeps: at most N new trials.")
]
TrialHoursOption = Annotated[
    float | None,
    typer.Option("--trial-hours", min=0.0, help="Kill an external program after N hours."),
]
UntilDecidedOption = Annotated[
    bool,
    typer.Option("--until-decided", help="Ablations: add seeds until every comparison is decided."),
]
MaxPairsOption = Annotated[
    int | None,
    typer.Option(
        "--max-pairs",
        min=2,
        help="With --until-decided: at most N pairs a comparison; default: ten times the file's.",
    ),
]
EffectOption = Annotated[
    float | None,
    typer.Option(
        "--effect",
        min=0.0,
        help="With --until-decided: give up an arm once an effect of this size, in units of the "
        "metric (0.02 = 2 points), is out of sight.",
    ),
]


def launch(
    name: o.NameArgument,
    recipe: o.RecipeOption = None,
    assignments: o.SetOption = None,
    seeds: o.SeedsOption = None,
    folds: o.FoldsOption = None,
    arms: o.ArmsOption = None,
    study: o.StudyNameOption = None,
    runs: o.RunsOption = o.RUNS,
    executor: o.ServerExecutorOption = "local",
    devices: o.DevicesOption = "auto",
    workers: o.WorkersOption = None,
    max_hours: MaxHoursOption = None,
    retries: RetriesOption = 0,
    count: CountOption = None,
    trial_hours: TrialHoursOption = None,
    until_decided: UntilDecidedOption = False,
    max_pairs: MaxPairsOption = None,
    effect: EffectOption = None,
    wandb: o.WandbOption = None,
    tensorboard: o.TensorboardOption = False,
    log_model: o.LogModelOption = False,
    trusted: o.TrustOption = None,
    places: o.PathOption = None,
) -> None:
    """Run every missing cell of an ablation or a W&B sweep, then print its answer.

    Run the same command again to resume.
    """
    options = LaunchOptions(
        runs, wandb, executor, devices, workers, max_hours, retries, tensorboard, log_model
    )
    blocks, limits = (seeds, folds, arms), (count, trial_hours)
    request = LaunchRequest(
        name, recipe, assignments, *blocks, study, *limits, until_decided, max_pairs, effect
    ).read()
    run_on_server(request, options) if options.is_on_server else _run_here(request, options)


def _run_here(request: AblationRequest | SweepRequest, options: LaunchOptions) -> None:
    display = TerminalDisplay()
    prepared = prepare(request, options, display)
    outcome = prepared if isinstance(prepared, Outcome) else launch_study(prepared, display)
    show_outcome(outcome, StudyFolder(options.runs / outcome.study.name))


def show_outcome(outcome: Outcome, folder: StudyFolder) -> None:
    """Show the study's answer and how the launch ended; exits by its code."""
    if outcome.is_replaced:
        console.note(
            f"{folder.name} held another plan before (other settings); its records stay in "
            f"{folder.path} and are used again if that plan is launched again. --study NAME keeps "
            "both plans."
        )
    exit_code = outcome.exit_code
    if outcome.stopped_by != "machine":  # where no page could be written either
        refused = _show_answer(outcome, folder)
        exit_code = exit_code or refused
    if outcome.study.kind != "tuning":  # its summary was shown when it ended
        for text in summary_of(outcome, folder.path.parent):
            console.note(text)
    if exit_code:
        raise typer.Exit(exit_code)


def _show_answer(outcome: Outcome, folder: StudyFolder) -> int:
    """Show the ranking or the verdict; return the exit code of one that cannot be given."""
    if outcome.study.kind == "search":
        ranking = load_ranking(folder)
        show(build.ranking(ranking, runs=folder.path.parent))
        return NotComparable.exit_code if ranking.is_refused else 0
    if outcome.study.kind != "tuning" and outcome.counts["done"]:
        _show_report(folder, is_new=outcome.num_trained > 0 or outcome.is_replaced)
    return 0


def _show_report(folder: StudyFolder, is_new: bool) -> None:
    """Show the verdict and where its page is, written again only if something is new."""
    from audiocls.render.build.stored import stored_ablation
    from audiocls.render.formats.html import to_html

    report, clips = load_report(folder), ClipsRequest()
    show(stored_ablation(report, "terminal", clips).document)
    page = folder.path / "report.html"
    if is_new or not page.exists():
        write_text(page, to_html(stored_ablation(report, "html", clips).document))
    console.say(f"report: {page}")
