"""`audiocls evaluate`: a checkpoint on other clips, without training."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli.data.commands import DataSetOption
from audiocls.cli.options import (
    RUNS,
    CheckpointArgument,
    JsonOption,
    PathOption,
    RunsOption,
    TrustOption,
    require_file_name,
)
from audiocls.render.output import show


def evaluate(
    checkpoint: CheckpointArgument,
    assignments: DataSetOption = None,
    split: Annotated[
        str | None, typer.Option("--split", help="test (default), test:NAME, val, train or all.")
    ] = None,
    fold: Annotated[
        int | None, typer.Option("--fold", min=1, help="Default: the checkpoint's own.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="A CSV file: path,label[,source].")
    ] = None,
    known_only: Annotated[bool, typer.Option("--known-only", help="Skip unknown labels.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A CSV file, a row per clip.")] = None,
    as_json: JsonOption = False,
    trusted: TrustOption = None,
    places: PathOption = None,
    runs: RunsOption = RUNS,
) -> None:
    """Score a checkpoint on another data set, split or manifest; classes match by name."""
    require_file_name(out)
    evaluation = audiocls.evaluate(
        checkpoint, set=assignments, split=split, fold=fold, manifest=manifest,
        known_only=known_only, runs=runs,
    )  # fmt: skip
    if out is not None:
        from audiocls.atomic import write_text

        write_text(out, evaluation.csv())
    document = evaluation.report.document
    if as_json:
        console.show_json(document.data())
    else:
        show(document)
    for note in (*evaluation.notes, *([f"written: {out}"] if out is not None else [])):
        console.note(note)
