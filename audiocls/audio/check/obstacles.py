"""Why no model could be trained on a data set, whatever its recordings sound like."""

from collections.abc import Iterable

from audiocls.audio.clips import ClipTable, Validation, needed_splits, split_of
from audiocls.errors import DataError

OBSTACLES = ("one class", "empty split")
"""Kinds of what `obstacles` finds."""
_WAY_OUT = "needed are three folds or more, or lists with train, val and test clips"


def obstacles(
    table: ClipTable, folds: Iterable[int] | None = None, validation: Validation = "held_out"
) -> dict[str, str]:
    """Return what stands in the way of training on `folds`, all by default; kind → sentence."""
    problems: dict[str, str] = {}
    if len(table.labels) < 2 and not table.is_multi_label:
        problems["one class"] = (
            f"all clips are of one class, {table.labels[0]!r}: there is nothing to tell apart; "
            "add clips of another class"
        )
    if empty := _empty_sides(table, table.folds if folds is None else folds, validation):
        problems["empty split"] = f"{'; '.join(empty)}; {_WAY_OUT}"
    return problems


def require_trainable(
    table: ClipTable, folds: Iterable[int], name: str, validation: Validation
) -> None:
    """Raise `DataError` if something stands in the way of training on `folds`."""
    if problems := obstacles(table, folds, validation):
        lines = "".join(f"\n  - {text}" for text in problems.values())
        raise DataError(f"{name}: no model can be trained on this data:{lines}")


def _empty_sides(table: ClipTable, folds: Iterable[int], validation: Validation) -> list[str]:
    """Return which folds leave no clips to train, validate or test on, in words."""
    one_of_each = {clip.side: clip for clip in table.clips}.values()
    empty = []
    for fold in folds:
        if fold not in table.folds:
            empty.append(f"there is no fold {fold}")
            continue
        there = {split_of(clip, fold, table.folds, validation) for clip in one_of_each}
        missing = [name for name in needed_splits(validation) if name not in there]
        if missing:
            empty.append(f"fold {fold} leaves no clips for {' and '.join(missing)}")
            if missing == ["val"] and fold == 1:
                empty[-1] += (
                    " (drawn from the training sources by --set data.val.share=0.1; or train "
                    "without: data.validation=none train.select=last)"
                )
    return empty
