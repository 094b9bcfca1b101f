"""`audiocls predict`: labels for audio files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiocls import console
from audiocls.atomic import write_text
from audiocls.cli.checkpoints import CheckpointArgument, require_file_name
from audiocls.cli.options import JsonOption
from audiocls.cli.predictions import FORMATS, Choice
from audiocls.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from audiocls.training.checkpoint import Checkpoint
    from audiocls.training.predict import Prediction

THRESHOLD = 0.5


def predict(
    checkpoint: CheckpointArgument,
    files: Annotated[list[Path], typer.Argument(help="Audio of any kind, or folders of it.")],
    form: Annotated[str, typer.Option("--format", help="text, csv or json.")] = "text",
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Labels shown; default: the likeliest.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0.0, max=1.0, help="For clips of several labels: 0.5."),
    ] = None,
    by_window: Annotated[
        bool, typer.Option("--windows", help="Each stretch of a long file on its own.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A file instead of stdout.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print each file's label and its probability; a bad file is reported, the others go on."""
    from audiocls.training.checkpoint import load_checkpoint

    require_file_name(out)
    render = FORMATS[_format(form, as_json)]
    classifier = load_checkpoint(checkpoint)
    choice = _choice(classifier, top, threshold, by_window)
    faults: list[str] = []
    _write(render(_predictions(classifier, files, by_window, faults), choice), out)
    if faults:
        raise DataError("\n".join(faults))


def _format(form: str, as_json: bool) -> str:
    if form not in FORMATS:
        allowed = f"--format: got {form!r}; allowed: {', '.join(FORMATS)}."
        raise UsageError(allowed + did_you_mean(form, FORMATS))
    if as_json and form == "csv":
        raise UsageError("give one of --json and --format csv")
    return "json" if as_json else form


def _choice(
    checkpoint: "Checkpoint", top: int | None, threshold: float | None, by_window: bool
) -> Choice:
    if checkpoint.is_multi_label:
        most, least = len(checkpoint.labels), THRESHOLD
        return Choice(top or most, least if threshold is None else threshold, by_window)
    if threshold is not None:
        raise UsageError(
            "--threshold: this checkpoint gives every clip one label, so a threshold has no "
            "effect; for the likeliest few: --top 3"
        )
    return Choice(top or 1, 0.0, by_window)


def _predictions(
    checkpoint: "Checkpoint", paths: list[Path], by_window: bool, faults: list[str]
) -> "Iterator[Prediction]":
    """One after another; what cannot be heard is added to `faults`."""
    from audiocls.training.predict import audio_files, predict

    for path in paths:
        try:
            files = audio_files(path)
        except DataError as error:
            faults.append(str(error))
            continue
        for file in files:
            try:
                yield predict(checkpoint, file, by_window)
            except DataError as error:
                faults.append(str(error))


def _write(lines: Iterator[str], out: Path | None) -> None:
    if out is None:
        for line in lines:
            console.say(line)
    else:
        write_text(out, "".join(f"{line}\n" for line in lines))
        console.note(f"written: {out}")
