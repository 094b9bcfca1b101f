"""What every data set owes, once its clips are on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audiocls.audio.clip_audio import decode_clip
from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import OwnData
from audiocls.testing.part import part_of


def data_contract(data: Any, cache: Path, **options: Any) -> None:
    """Raise `AssertionError` if a data set breaks a rule.

    Args:
        data: an import string, or a shipped data set's options.
        cache: a folder for what is generated.
        options: of the import string's callable, and `sample_rate`, `duration_s`, `root`.
    """
    part = part_of(OwnData, data, options)
    table = part.table(cache)
    assert part.table(cache) == table, "another list at the second time"
    assert part.is_multi_label == table.is_multi_label
    for rule in RULES:
        rule(table)


def each_fold_parts_all_clips_into_three_without_overlap(table: ClipTable) -> None:
    """Train, validation and test, none of them empty."""
    for fold in table.folds:
        split = table.split(fold)
        parts = [*split.train, *split.val, *split.test]
        assert sorted(parts) == list(range(len(table.clips)))
        assert min(len(split.train), len(split.val), len(split.test)) > 0


def no_source_is_on_two_sides(table: ClipTable) -> None:
    """Of any fold."""
    for fold in table.folds:
        split = table.split(fold)
        train, val, test = (
            {table.clips[i].source for i in part} for part in (split.train, split.val, split.test)
        )
        assert len(train | val | test) == len(train) + len(val) + len(test)


def each_clip_is_tested_once_or_as_its_list_says(table: ClipTable) -> None:
    """No clip is tested in two folds."""
    tested = np.concatenate([table.split(fold).test for fold in table.folds])
    assert len(set(tested)) == len(tested)
    if len(table.folds) > 1:
        assert len(tested) == len(table.clips)


def every_class_has_clips_and_every_clip_decodes(table: ClipTable) -> None:
    """Of the clips, the first four."""
    labels = {label for clip in table.clips for label in clip.labels}
    assert labels == set(range(len(table.labels)))
    assert len(set(table.labels)) == len(table.labels)
    assert all(len(decode_clip(clip).samples) for clip in table.clips[:4])


RULES: tuple[Callable[[ClipTable], None], ...] = (
    each_fold_parts_all_clips_into_three_without_overlap,
    no_source_is_on_two_sides,
    each_clip_is_tested_once_or_as_its_list_says,
    every_class_has_clips_and_every_clip_decodes,
)
