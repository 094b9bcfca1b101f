"""`audiocls sweep launch`: run an ablation or a search to its end, then show its answer."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import audiocls
from audiocls import console
from audiocls.cli import options as o
from audiocls.cli.sweep.agent import show_ending, show_pushed
from audiocls.errors import AudioclsError, NotComparable, UsageError
from audiocls.render.output import show

if TYPE_CHECKING:
    from audiocls.console.progress import TerminalDisplay

MaxHoursOption = Annotated[
    float | None, typer.Option("--max-hours", min=0.0, help="Stop, resumably, after N hours.")
]
RetriesOption = Annotated[
    int, typer.Option("--retries", min=0, help="Retry a failed trial up to N times.")
]
CountOption = Annotated[
    int | None, typer.Option("--count", min=0, help="Sweeps: at most N new trials.")
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
DetachOption = Annotated[
    bool, typer.Option("--detach", help="SLURM: return once the job array is submitted.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="SLURM: print the batch script, and submit nothing.")
]


def launch(
    name: o.NameArgument, recipe: o.RecipeOption = None, assignments: o.SetOption = None,
    seeds: o.SeedsOption = None, folds: o.FoldsOption = None, arms: o.ArmsOption = None,
    study: o.StudyNameOption = None, runs: o.RunsOption = o.RUNS,
    executor: o.LaunchExecutorOption = "local", devices: o.DevicesOption = "auto",
    workers: o.WorkersOption = None, per_device: o.PerDeviceOption = "1",
    max_hours: MaxHoursOption = None, retries: RetriesOption = 0, count: CountOption = None,
    trial_hours: TrialHoursOption = None, until_decided: UntilDecidedOption = False,
    max_pairs: MaxPairsOption = None, effect: EffectOption = None, wandb: o.WandbOption = None,
    tensorboard: o.TensorboardOption = False, log_model: o.LogModelOption = False,
    devices_per_trial: o.DevicesPerTrialOption = 1, profile: o.ProfileOption = None,
    slurm: o.SlurmOption = None, detach: DetachOption = False, dry_run: DryRunOption = False,
    ray_address: o.RayAddressOption = None, cpus_per_worker: o.CpusOption = None,
    gpus_per_worker: o.GpusOption = None, trusted: o.TrustOption = None, places: o.PathOption = None
) -> None:  # fmt: skip
    """Run every missing cell of an ablation or a W&B sweep, then print its answer.

    Run the same command again to resume.
    """
    given: dict[str, Any] = {
        "recipe": recipe, "set": assignments, "seeds": seeds, "folds": folds, "arms": arms,
        "study": study, "runs": runs, "devices": devices, "workers": workers,
        "max_hours": max_hours, "retries": retries, "count": count, "trial_hours": trial_hours,
        "until_decided": until_decided, "max_pairs": max_pairs, "effect": effect, "wandb": wandb,
        "tensorboard": tensorboard, "log_model": log_model,
    }  # fmt: skip
    where: dict[str, Any] = {
        "executor": executor, "per_device": per_device, "devices_per_trial": devices_per_trial,
        "profile": profile, "slurm": slurm, "detach": detach, "dry_run": dry_run,
        "ray_address": ray_address, "cpus_per_worker": cpus_per_worker,
        "gpus_per_worker": gpus_per_worker,
    }  # fmt: skip
    if executor == "wandb":
        return _launch_on_server(name, given, per_device)
    try:
        launched = audiocls.launch(name, **given, **where, progress=_display())
    except audiocls.LaunchStopped as stopped:
        launched = stopped.study
    return show_launched(launched)


def _launch_on_server(name: str, given: Mapping[str, Any], per_device: str) -> None:
    """Have a W&B server order the trials, and run them here."""
    if per_device != "1":
        raise UsageError("--per-device: a server orders one trial at a time; leave it out")
    pushed = audiocls.push(name, **given)
    show_pushed(pushed)
    here = {key: given[key] for key in ("runs", "devices", "workers")}
    return show_ending(audiocls.agent(pushed, **here))


def _display() -> "TerminalDisplay":
    """Return what shows progress; what compares and draws is imported once a trial has ended."""
    from audiocls.console.progress import TerminalDisplay

    return TerminalDisplay(_preload, _warm_up)


def _preload() -> None:
    from audiocls.render.formats import writer
    from audiocls.render.formats.html import preload

    preload()
    writer("html")
    import scipy.special  # noqa: F401  (what compares imports it when it is first needed)

    import audiocls.api.study  # noqa: F401


def _warm_up(study: Path) -> None:
    import audiocls.api.study

    with suppress(AudioclsError, OSError):  # which the report meets again, and says
        audiocls.api.study.warm_up(study)


def show_launched(study: "audiocls.Study") -> None:
    """Show the study's answer and how the launch ended; exits by its code."""
    outcome = study.outcome
    assert outcome is not None, "launch gives it"
    if outcome.submitted is not None:
        return None if outcome.submitted.job else console.verbatim(outcome.submitted.script)
    if outcome.is_replaced:
        console.note(
            f"{study.name} held another plan before (other settings); its records stay in "
            f"{study.path} and are used again if that plan is launched again. --study NAME keeps "
            "both plans."
        )
    exit_code = outcome.exit_code
    if outcome.stopped_by != "machine":  # where no page could be written either
        is_new, refused = outcome.num_trained > 0 or outcome.is_replaced, 0
        with console.ignoring_closed_output(sys.stdout):
            refused = _show_answer(study, is_new)
        exit_code = exit_code or refused
    is_summed_up = outcome.study.kind == "tuning" and outcome.stopped_by != "signal"
    if not is_summed_up:  # else when the tuning trials had ended
        for text in study.summary():
            console.note(text)
    if exit_code:
        raise typer.Exit(exit_code)
    return None


def _show_answer(study: "audiocls.Study", is_new: bool) -> int:
    """Show the ranking or the verdict; return the exit code of one that cannot be given."""
    outcome = study.outcome
    assert outcome is not None, "launch gives it"
    if outcome.study.kind == "search":
        ranking = study.report().document
        show(ranking)
        return NotComparable.exit_code if ranking.incomparable else 0
    if outcome.study.kind != "tuning" and outcome.counts["done"]:
        _show_report(study, is_new)
    return 0


def _show_report(study: "audiocls.Study", is_new: bool) -> None:
    """Show the verdict and where its page is, written again only if something is new.

    The command that the summary ends with is left to it.
    """
    report, page = study.compare().report, study.path / "report.html"
    show(report.document, summary=study.summary())
    if is_new or not page.exists():
        report.save(page)
    console.say(f"report: {page}")
