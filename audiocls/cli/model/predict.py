"""`audiocls predict`: labels for audio files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli.options import (
    RUNS,
    JsonOption,
    PathOption,
    PredictorArgument,
    RunsOption,
    TrustOption,
    require_file_name,
)
from audiocls.errors import DataError, UsageError, did_you_mean

FORMATS = ("text", "csv", "json")


def predict(
    checkpoint: PredictorArgument,
    files: Annotated[list[Path], typer.Argument(help="Audio files, or folders of them.")],
    form: Annotated[str, typer.Option("--format", help="text, csv or json.")] = "text",
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Labels shown; default: the likeliest.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0.0,
            max=1.0,
            help="Smallest probability shown, for several labels per clip; default: 0.5.",
        ),
    ] = None,
    by_window: Annotated[
        bool, typer.Option("--windows", help="Show each window of a long file separately.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A file instead of stdout.")] = None,
    as_json: JsonOption = False,
    trusted: TrustOption = None,
    places: PathOption = None,
    runs: RunsOption = RUNS,
) -> None:
    """Print each file's label and its probability; files that cannot be read are listed last."""
    require_file_name(out)
    chosen = _format(form, as_json)
    predictions = audiocls.predict(
        checkpoint, files, top=top, threshold=threshold, windows=by_window, runs=runs
    )
    for note in predictions.notes:
        console.note(note)
    _write(predictions.lines(chosen), out)
    if predictions.errors:
        raise DataError("\n".join(predictions.errors))


def _format(form: str, as_json: bool) -> str:
    """Return the format named by `--format` or `--json`."""
    if form not in FORMATS:
        allowed = f"--format: got {form!r}; allowed: {', '.join(FORMATS)}."
        raise UsageError(allowed + did_you_mean(form, FORMATS))
    if as_json and form == "csv":
        raise UsageError("give one of --json and --format csv")
    return "json" if as_json else form


def _write(lines: Iterator[str], out: Path | None) -> None:
    """Print the lines as they come, or write them to a file."""
    if out is None:
        for line in lines:
            console.verbatim(line)
    else:
        from audiocls.atomic import write_text

        write_text(out, "".join(f"{line}\n" for line in lines))
        console.note(f"written: {out}")
