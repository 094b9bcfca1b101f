"""The command line: each command parses, calls one function and renders its value.

Heavy imports stay inside the commands, so `--help` and every reading command start at once.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

import audiocls
from audiocls import console, extras
from audiocls.cli import (
    ablation,
    data,
    doctor,
    importing,
    noise,
    parts,
    recipe,
    report,
    serve,
    study,
    sweep,
    train,
)
from audiocls.cli.command_group import CommandGroup
from audiocls.cli.model import evaluate, export, predict, show
from audiocls.errors import AudioclsError, DataError, UsageError
from audiocls.machine import fault_of
from audiocls.named_paths import HOMELESS, why_unfit
from audiocls.stop_signals import AT_ONCE, leave_if_asked


class ErrorsAsText(CommandGroup):
    """Turns an expected error into one clear message and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            _require_working_folder()
            with extras.required("this command"):
                try:
                    return super().invoke(ctx)
                except Exception as error:
                    leave_if_asked(error)
                    raise
        except AudioclsError as error:
            console.error(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as stopped:
            if not isinstance(stopped, audiocls.LaunchStopped):
                console.note(
                    "stopped at once. What was finished is kept: run the same command again"
                )
                raise typer.Exit(AT_ONCE) from stopped
            console.note(str(stopped))
            raise typer.Exit(stopped.exit_code) from stopped
        except IsADirectoryError as error:
            path = error.filename2 or error.filename
            console.error(f"{path}: a folder is in the place of this file; move it away")
            raise typer.Exit(DataError.exit_code) from error
        except RuntimeError as error:
            if str(error) != HOMELESS:
                raise
            console.error("no such home: a path begins with ~ and a name that no user here has")
            raise typer.Exit(UsageError.exit_code) from error
        except (OSError, MemoryError) as error:
            if (why := why_unfit(error)) is not None:
                console.error(why)
                raise typer.Exit(UsageError.exit_code) from error
            fault = fault_of(error, Path("/"))  # a folder that refuses, wherever it is
            if fault is None:
                raise
            console.error(f"{fault}. Nothing that was finished is lost")
            raise typer.Exit(fault.exit_code) from error


def _require_working_folder() -> None:
    """Raise `UsageError` where the working directory was deleted: torch cannot be imported."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        text = "the folder that you are in was deleted; go to another one first: cd ~"
        raise UsageError(text) from error


app = typer.Typer(
    cls=ErrorsAsText,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sweeps and ablations for audio classification, with answers one can trust.",
)


def _show_version(is_requested: bool) -> None:
    if is_requested:
        console.say(f"audiocls {audiocls.__version__}")
        raise typer.Exit


@app.callback()
def options(
    is_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options of the command line as a whole."""


app.add_typer(ablation.app, name="ablation")
app.add_typer(recipe.app, name="recipe")
app.add_typer(sweep.app, name="sweep")
app.add_typer(study.app, name="study")
app.add_typer(data.app, name="data")
app.add_typer(parts.app, name="parts")
app.command("show")(show.show)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("import")(importing.import_)
app.command("report")(report.report)
app.command("serve")(serve.serve)
app.command("noise")(noise.noise)
app.command("doctor")(doctor.doctor)
