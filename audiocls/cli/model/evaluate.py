"""`audiocls evaluate`: a checkpoint on other clips, without training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiocls import console, library
from audiocls.atomic import write_text
from audiocls.cli.options import CheckpointArgument, JsonOption, cache_folder, require_file_name

if TYPE_CHECKING:
    from audiocls.training.evaluate import Evaluation


def evaluate(
    checkpoint: CheckpointArgument,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Such as data.root=DIR; repeatable."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="test (default), val, train or all.")
    ] = None,
    fold: Annotated[
        int | None, typer.Option("--fold", min=1, help="Default: the checkpoint's own.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="A CSV file: path,label[,source].")
    ] = None,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Skip labels unknown to the checkpoint.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A CSV file, a row per clip.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Score a checkpoint on another data set, split or manifest; classes match by name."""
    from audiocls.render.build import scores
    from audiocls.training.checkpoint import load_checkpoint
    from audiocls.training.evaluate import evaluate as evaluate_clips
    from audiocls.training.evaluation_request import evaluation_request

    require_file_name(out)
    restored, cache = load_checkpoint(checkpoint), cache_folder()
    overrides = library.overrides(assignments or [])
    request = evaluation_request(restored, cache, overrides, split, fold, manifest)
    evaluation = evaluate_clips(restored, request, cache, known_only)
    if out is not None:
        write_text(out, scores.to_csv(evaluation))
    if as_json:
        console.show_json({"clips": request.name, **scores.to_json(evaluation)})
    else:
        _show(evaluation, request.name)
    for note in (*request.notes, *([f"written: {out}"] if out is not None else [])):
        console.note(note)


def _show(evaluation: "Evaluation", name: str) -> None:
    """Print metrics, then a table of classes, then the most confused pairs."""
    from audiocls.render.build import scores

    classes, pairs = scores.CLASS_COLUMNS, scores.CONFUSION_COLUMNS
    console.show_facts(scores.facts(evaluation, name))
    rows = scores.class_rows(evaluation)
    console.show_table("Classes", classes, rows, classes[:1], droppable=classes[:1:-1])
    if confused := scores.confusion_rows(evaluation):
        console.show_table("Most confused", pairs, confused, pairs[:2])
