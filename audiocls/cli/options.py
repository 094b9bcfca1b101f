"""Options that several commands share."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.errors import UsageError
from audiocls.formatting import RUNS as RUNS
from audiocls.render.output import FORMATS, Output, checked, show

NameArgument = Annotated[
    str,
    typer.Argument(
        help="A built-in name, or a path to a YAML file.", autocompletion=completion.questions
    ),
]
StudyArgument = Annotated[
    str,
    typer.Argument(
        help="A launched study: its name, its folder, or the file it is of.",
        autocompletion=completion.studies,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Pure JSON on stdout.")]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe", autocompletion=completion.recipes, help="Another base recipe: a name or a path."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        autocompletion=completion.assignments,
        help="Override a key in every arm; repeatable.",
    ),
]
SeedsOption = Annotated[
    str | None, typer.Option("--seeds", help="Range or list, e.g. 0..4 or 0,2,5.")
]
FoldsOption = Annotated[str | None, typer.Option("--folds", help="Range or list, e.g. 1..5 or 2.")]
ArmsOption = Annotated[
    str | None,
    typer.Option(
        "--arms",
        autocompletion=completion.arms,
        help="Only these, by name, separated by commas or semicolons.",
    ),
]
EffectOption = Annotated[
    float | None,
    typer.Option(
        "--effect",
        min=1e-9,
        max=1e9,
        help="To be seen, in units of the metric; default: twice the margin.",
    ),
]
RunsOption = Annotated[
    Path, typer.Option("--runs", envvar="AUDIOCLS_RUNS", help="Where studies are kept.")
]
WandbOption = Annotated[
    str | None,
    typer.Option(
        "--wandb",
        autocompletion=completion.wandb_modes,
        help="online, offline or disabled; default: online if a key is set.",
    ),
]
TensorboardOption = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard's event files as well.")
]
LogModelOption = Annotated[
    bool, typer.Option("--log-model", help="W&B gets each trained model as an artifact.")
]
DevicesOption = Annotated[
    str, typer.Option("--devices", help="auto, cpu, tpu, mps, or such as cuda:0,cuda:1.")
]
DevicesPerTrialOption = Annotated[
    int,
    typer.Option(
        "--devices-per-trial", min=1, help="So many devices share each batch of one trial."
    ),
]
PerDeviceOption = Annotated[
    str,
    typer.Option(
        "--per-device",
        help="Trials of one shape that a worker trains at once: a number, or auto (what fits into "
        "the accelerator's memory).",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Default: one per GPU, or per core. SLURM: of tasks."),
]
ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        autocompletion=completion.executors,
        help="local (a process per core or GPU), inline, or ray (a cluster).",
    ),
]
LaunchExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        autocompletion=completion.executors,
        help="local (a process per core or GPU), inline, slurm (a job array of launches), ray (a "
        "cluster), or wandb (a server orders the trials).",
    ),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", help="SLURM: a YAML file of sbatch options, `setup` and `python`."),
]
SlurmOption = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        metavar="OPTION=VALUE",
        help="SLURM: an option of sbatch, such as time=4:00:00, before the profile's; repeatable.",
    ),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        help="With --executor ray: auto, HOST:6379, or ray://HOST:10001; default: RAY_ADDRESS, or "
        "auto (the cluster on this machine).",
    ),
]
CpusOption = Annotated[
    float | None,
    typer.Option(
        "--cpus-per-worker",
        min=0.0,
        help="With --executor ray: what Ray reserves; default: 1 for each device of a trial.",
    ),
]
GpusOption = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        min=0.0,
        help="With --executor ray: 0.5 has two share a GPU; default: as many as a trial has "
        "devices, where there are GPUs.",
    ),
]
StudyNameOption = Annotated[
    str | None, typer.Option("--study", help="Name of the folder; default: the file's own name.")
]
CheckpointArgument = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="STUDY:best, STUDY:ARM, STUDY:ID or a short id; or a finished trial's folder or "
        "weights.",
        autocompletion=completion.trials,
    ),
]
PredictorArgument = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="STUDY:best, STUDY:ARM, STUDY:ID or a short id; a finished trial's folder or weights; "
        "or a file that export wrote, such as model.onnx.",
        autocompletion=completion.trials,
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        autocompletion=completion.formats,
        help=f"{', '.join(FORMATS)}. html, ipynb, wandb write files.",
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Rewrite the HTML page until the study has ended.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="File to write, for all formats but terminal.")
]
FiguresOption = Annotated[
    Path | None, typer.Option("--figures", help="Folder to write each figure to, as a file.")
]
FigureFormatOption = Annotated[
    str, typer.Option("--figure-format", help="Of those files: svg, pdf, png; several by commas.")
]
EntityOption = Annotated[str | None, typer.Option("--entity", help="Of W&B, for wandb.")]
ProjectOption = Annotated[str | None, typer.Option("--project", help="Of W&B, for wandb.")]
ClipsOption = Annotated[
    bool, typer.Option("--clips", help="Add the comparison clip by clip; html has it by default.")
]
RootOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="data.root=DIR",
        autocompletion=completion.root_assignments,
        help="Where the clips of html lie now.",
    ),
]


def _trusted(packages: list[str] | None) -> list[str] | None:
    """Trust packages for the rest of this command, workers included."""
    if packages and os.environ.get("WANDB_SWEEP_ID"):
        why = "words of `wandb agent` are its server's; set AUDIOCLS_TRUST instead"
        raise UsageError(f"--trust: {why}")
    if packages:  # else nothing is loaded, and help and completion come at once
        audiocls.trust(*packages)
    return packages


def _added_to_path(folders: list[Path] | None) -> list[Path] | None:
    """Look for modules in these folders for the rest of this command, workers included."""
    if folders:
        audiocls.add_path(*folders)
    return folders


TrustOption = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        callback=_trusted,
        metavar="PACKAGE",
        help="Run own parts of this package that a server or a checkpoint names; repeatable.",
    ),
]
PathOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--path",
        callback=_added_to_path,
        metavar="DIR",
        help="Look for modules of own parts here; repeatable.",
    ),
]
PLAN_FORMATS = ("terminal", "json", "md", "html", "tex", "ipynb")
"""Formats of a plan: it has no runs that W&B could show."""


def output_of(
    as_json: bool,
    format_: str,
    out: Path | None,
    entity: str | None = None,
    project: str | None = None,
    allowed: Sequence[str] = FORMATS,
    what: str = "",
) -> Output:
    """Return what the options ask for; raises `UsageError` for what would have no effect."""
    output = checked(Output(format_, out, entity, project), as_json, allowed, what)
    require_file_name(out)
    return output


def show_catalogue(catalogue: "audiocls.Catalogue", as_json: bool) -> None:
    """Print what can be named, as a table or as JSON."""
    if as_json:
        console.show_json(catalogue.rows())
    else:
        show(catalogue.report.document)


def show_content(content: Mapping[str, Any], as_json: bool) -> None:
    """Print what a file holds, as YAML or as JSON."""
    from audiocls import yaml_file

    console.show_json(content) if as_json else console.verbatim(yaml_file.dump(content))


def require_file_name(out: Path | None) -> None:
    """Raise `UsageError`, before any work is done, if no file can have the path `out`."""
    if out is None:
        return
    if out.is_dir():
        raise UsageError(f"--out: got the folder {out}; wanted: the name of a file in it")
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            raise UsageError(f"--out: got {out}, but {parent} is a file, not a folder")
