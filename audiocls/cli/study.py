"""`audiocls study …`: the studies in a folder, and what becomes of them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli import options as o
from audiocls.cli.command_group import CommandGroup
from audiocls.formatting import format_bytes

OwnName = Annotated[
    str, typer.Argument(help="A study, by its own name.", autocompletion=completion.studies)
]

app = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Studies on disk: list, rename, delete, archive."
)


@app.command("list")
def list_(runs: o.RunsOption = o.RUNS, as_json: o.JsonOption = False) -> None:
    """List what was launched here: kind, trials done, what was found, size, last change."""
    o.show_catalogue(audiocls.list_studies(runs=runs), as_json)


@app.command()
def rename(
    name: OwnName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name that it gets.")],
    runs: o.RunsOption = o.RUNS,
) -> None:
    """Give a study another name; trials keep their ids, and runs at W&B their group."""
    kept = audiocls.rename_study(name, new, runs=runs)
    console.say(f"{name} is {kept.study} now ({kept.path})")
    _notes(kept.notes)


@app.command()
def delete(
    name: OwnName,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    runs: o.RunsOption = o.RUNS,
) -> None:
    """Delete a study from this disk, after asking; not while a launch works on it."""
    question = f"Delete the study {name} in {runs} for good, with all its trials?"
    is_sure = is_sure or (sys.stdin.isatty() and typer.confirm(question))
    kept = audiocls.delete_study(name, yes=is_sure, runs=runs)
    console.say(f"deleted: {kept.path} ({format_bytes(kept.num_bytes)})")
    _notes(kept.notes)


@app.command()
def archive(
    name: OwnName,
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: NAME.tar.gz beside its folder.")
    ] = None,
    is_kept: Annotated[bool, typer.Option("--keep", help="Leave the folder in place.")] = False,
    runs: o.RunsOption = o.RUNS,
) -> None:
    """Put a study into one compressed file, verify it, and remove the folder."""
    o.require_file_name(out)
    kept = audiocls.archive_study(name, out=out, keep=is_kept, runs=runs)
    console.say(f"archived: {kept.path} ({format_bytes(kept.num_bytes)})")
    _notes(kept.notes)


def _notes(notes: tuple[str, ...]) -> None:
    for text in notes:
        console.note(text)
