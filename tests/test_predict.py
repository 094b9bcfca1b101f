import csv
import json
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.audio import uniform_noise, write_wav
from helpers.trials import TRIALS, TrainedTrial

from audiocls.audio.datasets import AudioSet
from audiocls.audio.stream import CHUNK_SAMPLES
from audiocls.errors import AudioclsError, DataError, UsageError
from audiocls.render.build.predictions import LabelSelection, as_csv, as_json, as_text
from audiocls.training.checkpoint import load_checkpoint
from audiocls.training.checkpoint_metadata import read_metadata
from audiocls.training.init_from import weights_from
from audiocls.training.predict import WINDOWS_AT_ONCE, Prediction, Window, audio_files, predict


@pytest.fixture(scope="module", params=TRIALS)
def trained(request, tmp_path_factory, cache) -> TrainedTrial:
    return TrainedTrial(TRIALS[request.param], tmp_path_factory.mktemp("trial"), cache)


@pytest.mark.parametrize(
    ("rate", "seconds", "channels"),
    [
        (16000, 1.0, 1),
        (16000, 1.0, 2),
        (8000, 1.0, 1),
        (96000, 1.0, 2),
        (44100, 0.2, 1),
        (16000, 7.0, 1),
        (22050, 2.5, 6),
        (16000, 1 / 16000, 1),
    ],
    ids=["plain", "stereo", "8 kHz", "96 kHz", "0.2 s", "7 s", "surround", "one sample"],
)
def test_any_file_has_probabilities_that_sum_to_one(trained, tmp_path, rate, seconds, channels):
    num_frames = max(1, round(rate * seconds))
    samples = uniform_noise(num_frames * channels).reshape(num_frames, channels)
    prediction = predict(trained.checkpoint, write_wav(tmp_path / "a.wav", samples, rate))
    assert set(prediction.probabilities) == set(trained.table.labels)
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert min(prediction.probabilities.values()) >= 0
    assert prediction.probability == max(prediction.probabilities.values())
    assert prediction.probabilities[prediction.label] == prediction.probability


def test_a_test_clip_is_predicted_as_it_was_recorded(trained):
    recorded = trained.trial.predictions()
    clips = {clip.id: clip for clip in trained.table.clips}
    for name, logits in zip(recorded["clips"], recorded["logits"], strict=True):
        expected = torch.from_numpy(logits).softmax(0).tolist()
        found = predict(trained.checkpoint, clips[str(name)].path).probabilities
        # The pack rounds to 16 bits once more, so the two may differ by that.
        assert list(found.values()) == pytest.approx(expected, abs=2e-3)
        assert list(found) == list(trained.table.labels)


def test_the_record_follows_from_the_recorded_predictions(trained):
    recorded, record = trained.trial.predictions(), trained.trial.record()
    assert record is not None
    is_right = recorded["logits"].argmax(1) == recorded["labels"]
    assert record.metrics["test/accuracy"] == is_right.mean()
    test = [trained.table.clips[i] for i in trained.table.split(1).test]
    assert recorded["clips"].tolist() == [clip.id for clip in test]
    assert recorded["sources"].tolist() == [clip.source for clip in test]
    assert record.num_test == len(test)


def test_both_channels_alike_are_one_channel(any_trained, tmp_path):
    mono = uniform_noise(16000)
    one = predict(any_trained.checkpoint, write_wav(tmp_path / "1.wav", mono, 16000))
    two = np.stack([mono, mono], axis=1)
    both = predict(any_trained.checkpoint, write_wav(tmp_path / "2.wav", two, 16000))
    assert list(one.probabilities.values()) == pytest.approx(list(both.probabilities.values()))


def test_a_long_file_is_the_mean_of_its_windows(any_trained, tmp_path):
    halves = [uniform_noise(32000)[:16000], uniform_noise(32000)[16000:]]
    files = [write_wav(tmp_path / f"{i}.wav", half, 16000) for i, half in enumerate(halves)]
    long = write_wav(tmp_path / "long.wav", np.concatenate(halves), 16000)
    apart = [list(predict(any_trained.checkpoint, file).probabilities.values()) for file in files]
    together = list(predict(any_trained.checkpoint, long).probabilities.values())
    assert together == pytest.approx(np.mean(apart, axis=0).tolist(), abs=1e-6)


def test_a_short_file_is_heard_as_if_silence_followed(any_trained, tmp_path):
    short = uniform_noise(3200)
    padded = np.concatenate([short, np.zeros(12800)])
    one = predict(any_trained.checkpoint, write_wav(tmp_path / "s.wav", short, 16000))
    other = predict(any_trained.checkpoint, write_wav(tmp_path / "p.wav", padded, 16000))
    assert one.probabilities == other.probabilities


def test_silence_is_no_error(trained, tmp_path):
    file = write_wav(tmp_path / "silence.wav", np.zeros(16000), 16000)
    assert sum(predict(trained.checkpoint, file).probabilities.values()) == pytest.approx(1.0)


def test_a_file_that_is_no_audio_is_refused_by_name(any_trained, tmp_path):
    for name, content in (("empty.wav", b""), ("text.wav", b"no sound")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            predict(any_trained.checkpoint, tmp_path / name)


def test_a_checkpoint_works_anywhere_by_its_folder_or_its_file(any_trained, tmp_path):
    for suffix in (".safetensors", ".json"):
        shutil.copy(any_trained.trial.path / f"checkpoint{suffix}", tmp_path)
    file = write_wav(tmp_path / "a.wav", uniform_noise(16000), 16000)
    expected = predict(any_trained.checkpoint, file)
    for path in (tmp_path, tmp_path / "checkpoint.safetensors"):
        assert predict(load_checkpoint(path), file) == expected


def test_a_checkpoint_that_is_none_is_refused_with_what_one_is(tmp_path):
    with pytest.raises(UsageError, match=r"no such file.*runs/<study>/trials/<id>"):
        load_checkpoint(tmp_path)


def test_damaged_weights_are_refused_by_name(any_trained, tmp_path):
    shutil.copy(any_trained.trial.path / "checkpoint.json", tmp_path)
    whole = any_trained.trial.checkpoint.read_bytes()
    flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    for content in (b"", b"garbage", whole[:100], whole[:-1], flipped):
        (tmp_path / "checkpoint.safetensors").write_bytes(content)
        with pytest.raises(UsageError, match=r"checkpoint\.safetensors: not a checkpoint"):
            load_checkpoint(tmp_path)
        with pytest.raises(UsageError, match=r"init_from: .*cannot be read as a checkpoint"):
            read_metadata("init_from", tmp_path)
        with pytest.raises(UsageError, match=r"init_from: .*cannot be read as a checkpoint"):
            weights_from(tmp_path)


@pytest.mark.parametrize("content", ["{", "{}", "[]", "3", '{"config": {"seed": 1}}'])
def test_a_damaged_description_is_refused_by_name(any_trained, tmp_path, content):
    shutil.copy(any_trained.trial.checkpoint, tmp_path)
    (tmp_path / "checkpoint.json").write_text(content)
    with pytest.raises(AudioclsError, match=r"checkpoint\.(json|safetensors)") as raised:
        load_checkpoint(tmp_path)
    assert raised.value.exit_code == 2


def test_weights_of_another_network_are_refused_by_name(any_trained, tmp_path):
    for suffix in (".safetensors", ".json"):
        shutil.copy(any_trained.trial.path / f"checkpoint{suffix}", tmp_path)
    description = json.loads((tmp_path / "checkpoint.json").read_text())
    description["config"]["model"]["channels"] = [8, 8, 8, 16]
    (tmp_path / "checkpoint.json").write_text(json.dumps(description))
    with pytest.raises(UsageError, match="not a checkpoint of audiocls"):
        load_checkpoint(tmp_path)


def test_windows_tile_the_file_and_average_to_the_whole(any_trained, tmp_path):
    num_windows = WINDOWS_AT_ONCE + 3
    file = write_wav(tmp_path / "long.wav", uniform_noise(num_windows * 16000 - 4000), 16000)
    found = predict(any_trained.checkpoint, file, keep_windows=True)
    edges = [(window.start_s, window.end_s) for window in found.windows]
    assert edges == [(i, min(i + 1, num_windows - 0.25)) for i in range(num_windows)]
    for label, probability in found.probabilities.items():
        each = [window.probabilities[label] for window in found.windows]
        assert probability == pytest.approx(np.mean(each))


def test_a_window_is_what_its_stretch_would_be_as_a_file_of_its_own(any_trained, tmp_path):
    samples = uniform_noise(5 * 16000)
    long = write_wav(tmp_path / "long.wav", samples, 16000)
    windows = predict(any_trained.checkpoint, long, keep_windows=True).windows
    alone = write_wav(tmp_path / "alone.wav", samples[48000:64000], 16000)
    expected = predict(any_trained.checkpoint, alone).probabilities
    assert windows[3].probabilities == pytest.approx(expected, abs=1e-6)


def test_memory_does_not_grow_with_the_length_of_the_file(any_trained, tmp_path):
    peaks = []
    for num_portions in (5, 20):
        file = write_wav(tmp_path / "long.wav", np.zeros(num_portions * CHUNK_SAMPLES), 32000)
        tracemalloc.start()
        predict(any_trained.checkpoint, file)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_the_likeliest_labels_come_first_and_none_below_the_threshold(any_trained, tmp_path):
    found = predict(
        any_trained.checkpoint, write_wav(tmp_path / "a.wav", uniform_noise(16000), 16000)
    )
    ranked = found.whole.likeliest(3)
    assert len(ranked) == 3
    assert ranked[0] == (found.label, found.probability)
    assert [p for _, p in ranked] == sorted(found.probabilities.values(), reverse=True)[:3]
    assert found.whole.likeliest(10, least=ranked[1][1]) == ranked[:2]
    assert found.whole.likeliest(10, least=1.1) == []


def test_a_folder_means_the_audio_files_at_any_depth_in_order(tmp_path):
    for name in ("b/2.FLAC", "b/1.wav", "a.mp3", "notes.txt", "b/cover.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = ("a.mp3", "b/1.wav", "b/2.FLAC")
    assert audio_files(tmp_path).files == tuple(tmp_path / name for name in names)
    assert audio_files(tmp_path / "notes.txt").files == (tmp_path / "notes.txt",)


def test_a_folder_without_audio_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"without .*\.wav"):
        audio_files(tmp_path)


def test_labels_that_do_not_exclude_each_other_have_probabilities_of_their_own(
    any_trained, tmp_path
):
    checkpoint = any_trained.checkpoint
    data = AudioSet(sample_rate=16000, duration_s=1.0)
    several = replace(checkpoint, config=checkpoint.config.model_copy(update={"data": data}))
    file = write_wav(tmp_path / "a.wav", np.zeros(16000), 16000)
    with torch.no_grad():
        logits = checkpoint.classifier(checkpoint.front_end(torch.zeros(1, 16000)))[0]
    for each, expected in ((several, logits.sigmoid()), (checkpoint, logits.softmax(0))):
        found = predict(each, file).probabilities
        assert list(found.values()) == pytest.approx(expected.tolist(), abs=1e-6)


FOUND = [
    Prediction(Path("a, b.wav"), Window(0.0, 1.5, {"dog": 0.9, "rain": 0.6, "cat": 0.1})),
    Prediction(Path("c.wav"), Window(0.0, 2.0, {"dog": 0.2, "rain": 0.3, "cat": 0.1})),
]
ABOVE_HALF = LabelSelection(most=3, least=0.5, by_window=False)


def test_text_is_a_line_a_file_with_every_label_above_the_threshold():
    assert list(as_text(FOUND, ABOVE_HALF)) == ["a, b.wav\tdog\t0.900\train\t0.600", "c.wav\t–"]


def test_csv_reads_back_and_names_a_file_without_a_label():
    rows = list(csv.DictReader(as_csv(FOUND, ABOVE_HALF)))
    assert [(row["file"], row["rank"], row["label"]) for row in rows] == [
        ("a, b.wav", "1", "dog"),
        ("a, b.wav", "2", "rain"),
        ("c.wav", "", ""),
    ]
    assert [float(row["probability"]) for row in rows[:2]] == [0.9, 0.6]


def test_json_has_every_probability_and_the_labels_chosen():
    [text] = as_json(FOUND, ABOVE_HALF)
    first, second = json.loads(text)
    assert first["probabilities"] == FOUND[0].probabilities
    assert [each["label"] for each in first["labels"]] == ["dog", "rain"]
    assert (second["label"], second["labels"]) == ("rain", [])


def test_lines_come_file_by_file_not_when_all_are_heard():
    heard = []

    def listening():
        for each in FOUND:
            heard.append(each.file)
            yield each

    lines = as_text(listening(), ABOVE_HALF)
    next(lines)
    assert heard == [FOUND[0].file]
