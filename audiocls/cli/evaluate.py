"""`audiocls evaluate`: a checkpoint on other clips, without training."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiocls import console, library
from audiocls.atomic import write_text
from audiocls.cli.checkpoints import CheckpointArgument, require_file_name
from audiocls.cli.options import JsonOption, cache_folder
from audiocls.cli.scores import show, to_csv, to_json
from audiocls.errors import ConfigError, UsageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audiocls.audio.clips import ClipTable
    from audiocls.audio.datasets import DataSet
    from audiocls.training.checkpoint import Checkpoint

BOUND = ("data.sample_rate", "data.duration_s")
"""What the checkpoint was trained to hear; other clips are resampled and cut to it."""


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
        bool, typer.Option("--known-only", help="Leave out labels unknown to the checkpoint.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A CSV file, a row a clip.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Metrics of a checkpoint on another data set, split or manifest; classes match by name."""
    from audiocls.training.checkpoint import load_checkpoint
    from audiocls.training.evaluate import evaluate as scored

    require_file_name(out)
    restored = load_checkpoint(checkpoint)
    asked = _asked(restored, assignments or [], split, fold, manifest)
    found = scored(restored, asked.data, asked.table, asked.clips, cache_folder(), known_only)
    if out is not None:
        write_text(out, to_csv(found))
    if as_json:
        console.show_json({"clips": asked.name, **to_json(found)})
    else:
        show(found, asked.name)
    for note in (*asked.notes, *([f"written: {out}"] if out is not None else [])):
        console.note(note)


@dataclass(frozen=True)
class EvaluationRequest:
    """The clips that the command line means."""

    name: str
    data: "DataSet"
    table: "ClipTable"
    clips: "NDArray[np.int64]"
    notes: tuple[str, ...] = ()


def _asked(
    checkpoint: "Checkpoint",
    assignments: list[str],
    split: str | None,
    fold: int | None,
    manifest: Path | None,
) -> EvaluationRequest:
    if manifest is None:
        return _of_data_set(checkpoint, assignments, split or "test", fold)
    if assignments or split is not None or fold is not None:
        raise UsageError("--manifest names all the clips: leave out --set, --split and --fold")
    from audiocls.training.evaluate import chosen
    from audiocls.training.manifest import read_manifest

    table = read_manifest(manifest)
    return EvaluationRequest(str(manifest), checkpoint.config.data, table, chosen(table, "all", 1))


def _of_data_set(
    checkpoint: "Checkpoint", assignments: list[str], split: str, fold: int | None
) -> EvaluationRequest:
    from audiocls.training.evaluate import SPLITS, chosen, num_trained_on

    if split not in SPLITS:
        allowed = f"--split: got {split!r}; allowed: {', '.join(SPLITS)}."
        raise UsageError(allowed + did_you_mean(split, SPLITS))
    data = _data(checkpoint, library.overrides(assignments))
    table = data.table(cache_folder())
    number = fold or checkpoint.config.fold
    clips = chosen(table, split, number)
    is_own = _without_root(data) == _without_root(checkpoint.config.data)
    num_heard = num_trained_on(checkpoint, table, clips) if is_own else 0
    heard = f"{num_heard} of these {len(clips)} clips were trained on: this is no test"
    name = f"{data.name}, " + ("all clips" if split == "all" else f"{split} clips of fold {number}")
    return EvaluationRequest(name, data, table, clips, (heard,) if num_heard else ())


def _data(checkpoint: "Checkpoint", overrides: dict[str, Any]) -> "DataSet":
    """The checkpoint's data set, or another one at the rate and length it was trained on."""
    from audiocls.config import resolve

    faults = [
        f"{key}: the checkpoint was trained at this rate and length; clips are brought to it"
        if key in BOUND
        else f"{key}: only data.… can be another; the rest is the checkpoint's"
        for key in overrides
        if key in BOUND or not key.startswith("data.")
    ]
    if faults:
        raise ConfigError("--set", faults)
    config = checkpoint.config
    bound = {"data.sample_rate": config.data.sample_rate, "data.duration_s": config.data.duration_s}
    return resolve([config.model_dump(mode="json"), overrides, bound], "--set").data


def _without_root(data: "DataSet") -> dict[str, Any]:
    return data.model_dump(exclude={"root"})
