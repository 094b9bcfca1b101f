"""Which errors are shown, what of them can be heard, and how each kind of label is summed up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiocls.execution.breakdown import (
    LONGEST_S,
    MAX_MISCLASSIFIED,
    class_breakdown,
    most_confident_errors,
)
from audiocls.tracking import Ending, RunInfo
from audiocls.tracking.breakdown import ClassScore
from audiocls.tracking.tensorboard import TensorboardRun
from audiocls.tracking.wrappers import MAX_REOPENINGS, ReconnectingTracker


@pytest.fixture
def sounds(tiny_config, sounds_of):
    return sounds_of(tiny_config())


def clips_of(sounds, num: int = 12):
    """Some clips, logits that are right for all but the first five, and their targets."""
    clips = np.arange(num)
    targets = sounds.targets[clips].numpy()
    logits = np.eye(len(sounds.table.labels), dtype=np.float32)[targets] * 5
    wrong = (targets[:5] + 1) % logits.shape[1]
    logits[np.arange(5), wrong] = np.float32([6, 9, 7, 8, 10])
    return clips, logits, targets


def test_the_surest_errors_come_first_and_right_answers_never(sounds):
    _, logits, targets = clips_of(sounds)
    errors = most_confident_errors(logits, targets)
    assert [clip for clip, _, _ in errors] == [4, 1, 3, 2, 0]
    assert all(heard == (targets[clip] + 1) % 10 for clip, heard, _ in errors)
    assert all(0.5 < probability <= 1 for _, _, probability in errors)


def test_no_more_errors_are_shown_than_one_would_listen_to():
    logits = np.tile(np.float32([1, 0]), (50, 1))
    assert len(most_confident_errors(logits, np.ones(50, np.int64))) == MAX_MISCLASSIFIED <= 8


def test_of_several_labels_only_a_class_that_is_decided_for_and_not_true_is_an_error():
    logits = np.float32([[3, -1, -2], [4, 2, -1], [1, 1, 5]])
    targets = np.float32([[1, 0, 0], [1, 0, 0], [1, 1, 0]])
    errors = most_confident_errors(logits, targets)
    assert [(clip, heard) for clip, heard, _ in errors] == [(2, 2), (1, 1)]
    assert errors[0][2] == pytest.approx(1 / (1 + np.exp(-5)))


def test_a_misheard_clip_is_the_decoded_wave_under_its_own_name(sounds):
    clips, logits, targets = clips_of(sounds)
    evidence = class_breakdown(sounds, clips, logits, targets)
    first = evidence.misclassified[0]
    clip = sounds.table.clips[clips[4]]
    assert (first.clip, first.truth) == (clip.id, sounds.table.labels[clip.label])
    assert first.wave.shape == (min(sounds.num_samples, LONGEST_S * sounds.sample_rate),)
    assert np.array_equal(first.wave, sounds.pack.centred(clips[4:5], sounds.num_samples)[0])
    assert 0 < np.abs(first.wave).max() <= 1
    assert evidence.sample_rate == 8000


def test_the_confusion_counts_every_clip_once_and_shows_every_class(sounds):
    clips, logits, targets = clips_of(sounds)
    evidence = class_breakdown(sounds, clips, logits, targets)
    assert evidence.confusion is not None
    assert evidence.confusion.sum() == len(clips)
    assert np.trace(evidence.confusion) == len(clips) - 5
    confused = evidence.confused()
    assert sum(count for _, _, count in confused) == len(clips)
    assert {true for true, _, _ in confused} == set(sounds.table.labels)
    assert [row.support for row in evidence.classes] == evidence.confusion.sum(1).tolist()


def test_several_labels_have_scores_of_each_class_and_no_confusion(sounds):
    clips, logits, _ = clips_of(sounds)
    table = replace(sounds.table, is_multi_label=True)
    evidence = class_breakdown(
        replace(sounds, table=table), clips, logits, (logits > 0).astype(np.float32)
    )
    assert evidence.confusion is None
    assert evidence.confused() == []
    assert len(evidence.classes) == len(table.labels)
    assert evidence.misclassified == ()


def test_tensorboard_shows_the_classes_and_lets_the_misheard_be_heard(sounds, tmp_path: Path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = TensorboardRun(tmp_path, RunInfo("t-1", "p", "g", "j", "n", (), {}, tmp_path))
    evidence = class_breakdown(sounds, *clips_of(sounds))
    silent = ClassScore("never there", 0, None, None, None)
    shown = replace(evidence, classes=(*evidence.classes, silent))
    run.finish(Ending(evidence=lambda: shown))
    read = events.EventAccumulator(str(tmp_path)).Reload()
    (table,) = read.Tensors("test/classes/text_summary")[0].tensor_proto.string_val
    assert b"| never there | \xe2\x80\x93 | \xe2\x80\x93 | \xe2\x80\x93 | 0 |" in table
    assert len(read.Tags()["audio"]) == 5


class Dying:
    """A run whose process dies at every `log`, until it has done so `times` times."""

    def __init__(self, rows, times):
        self.told, self._times = list(rows), times

    def log(self, row):
        if self._times:
            self._times.pop()
            raise ConnectionResetError("gone")
        self.told.append(row)

    def finish(self, ending):
        return self.told


@pytest.mark.parametrize("num_deaths", range(MAX_REOPENINGS + 1))
def test_a_run_that_is_revived_is_told_everything_once(num_deaths):
    deaths, restarts = [None] * num_deaths, []
    run = ReconnectingTracker(lambda rows: Dying(rows, deaths), lambda: restarts.append(1), [0])
    for row in range(1, 6):
        run.log(row)
    assert run.finish(Ending()) == [0, 1, 2, 3, 4, 5]
    assert len(restarts) == num_deaths


def test_a_run_whose_process_keeps_dying_is_given_up():
    run = ReconnectingTracker(lambda rows: Dying(rows, [None] * 100), lambda: None, [])
    for row in range(MAX_REOPENINGS):
        run.log(row)
    with pytest.raises(ConnectionResetError):
        run.log(0)
