"""`audiocls evaluate`: a checkpoint on other clips, without training."""

from pathlib import Path
from typing import Annotated

import typer

from audiocls import console, library
from audiocls.atomic import write_text
from audiocls.cli.options import CheckpointArgument, JsonOption, cache_folder, require_file_name
from audiocls.store.data_roots import known_root


def evaluate(
    checkpoint: CheckpointArgument,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Such as data.root=DIR; repeatable."),
    ] = None,
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
) -> None:
    """Score a checkpoint on another data set, split or manifest; classes match by name."""
    from audiocls.render.build.scores import scores, to_csv
    from audiocls.render.formats.terminal import show
    from audiocls.training.checkpoint import load_checkpoint
    from audiocls.training.evaluate import evaluate as evaluate_clips
    from audiocls.training.evaluation_request import evaluation_request

    require_file_name(out)
    restored, cache, root = load_checkpoint(checkpoint), cache_folder(), known_root(checkpoint)
    overrides = library.overrides(assignments or [])
    request = evaluation_request(restored, cache, overrides, split, fold, manifest, root)
    evaluation = evaluate_clips(restored, request, cache, known_only)
    if out is not None:
        write_text(out, to_csv(evaluation))
    document = scores(evaluation, request.name)
    if as_json:
        console.show_json(document.data())
    else:
        show(document)
    for note in (*request.notes, *([f"written: {out}"] if out is not None else [])):
        console.note(note)
