"""What `check` finds in files that were really broken, and only in those."""

import errno
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf  # noqa: TID251  (the files to examine have to come from somewhere)
from helpers.audio import RECORDINGS, needs_recordings, uniform_noise

from audiocls.audio.check import check
from audiocls.audio.check.findings import SILENT_PEAK
from audiocls.audio.check.truncation import truncation
from audiocls.audio.datasets import ESC50, AudioSet, SpeechCommands
from audiocls.audio.decode import Waveform, decode
from audiocls.errors import MachineFault

RATE = 8000
SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}


def write(path: Path, samples: np.ndarray, subtype: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, RATE, subtype=subtype or SUBTYPES[path.suffix[1:]])
    return path


class Home:
    """Nine sound clips in ESC-50's layout, three folds of three classes, to be damaged."""

    def __init__(self, root: Path):
        self.root = root
        self.rows = [
            [f"{f}-{c}.wav", f, c, f"c{c}", False, f"{f}{c}"] for f in (1, 2, 3) for c in (0, 1, 2)
        ]
        for i, row in enumerate(self.rows):
            write(root / "audio" / row[0], uniform_noise(2000, peak=0.3, seed=i))

    def path(self, name: str) -> Path:
        return self.root / "audio" / name

    def check(self):
        lines = ["filename,fold,target,category,esc10,src_file"]
        lines += [",".join(map(str, row)) for row in self.rows]
        (self.root / "meta").mkdir(exist_ok=True)
        (self.root / "meta" / "esc50.csv").write_text("\n".join(lines))
        return check(ESC50(root=str(self.root)), self.root, lambda done, total: None)


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "data")


def kinds(health) -> dict[str, tuple[str, ...]]:
    return {finding.kind: finding.clips for finding in health.findings}


def test_sound_data_has_no_findings_and_its_sums_add_up(home):
    health = home.check()
    assert health.is_usable
    assert health.findings == ()
    assert health.classes == {"c0": 3, "c1": 3, "c2": 3}
    assert health.sides == {"fold 1": 3, "fold 2": 3, "fold 3": 3}
    assert health.rates == {RATE: 9}
    assert health.lengths_s == {0.25: 9}
    assert health.duration_s == pytest.approx(9 * 0.25)


def test_progress_counts_every_clip(home):
    home.check()
    reports: list[tuple[int, int]] = []
    check(ESC50(root=str(home.root)), home.root, lambda *each: reports.append(each))
    assert reports == [(i, 9) for i in range(10)]


def test_a_missing_and_an_unreadable_file_are_told_apart(home):
    home.path("1-0.wav").unlink()
    home.path("2-0.wav").write_bytes(b"no sound at all")
    health = home.check()
    assert not health.is_usable
    assert kinds(health) == {"missing": ("1-0.wav",), "undecodable": ("2-0.wav",)}


def test_each_undecodable_clip_has_its_own_reason(home):
    home.path("1-0.wav").write_bytes(b"")
    home.path("2-0.wav").write_bytes(b"no sound at all")
    bad = np.zeros(500, dtype=np.float32)
    bad[3] = np.nan
    write(home.path("3-0.wav"), bad, "FLOAT")
    (text,) = [f.text for f in home.check().findings if f.kind == "undecodable"]
    reasons = ("1-0.wav: got an empty file", "2-0.wav: got ", "3-0.wav: got 1 NaN")
    assert all(reason in text for reason in reasons), text
    assert text.count("allowed are") == 1


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, os.strerror(errno.EMFILE)), MemoryError()])
def test_a_fault_of_the_machine_is_not_put_down_to_a_clip(home, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr("audiocls.audio.decode.sf.SoundFile", refuse)
    with pytest.raises(MachineFault):
        home.check()


def test_a_pipe_in_place_of_a_clip_is_told_and_not_waited_for(home):
    home.path("1-0.wav").unlink()
    os.mkfifo(home.path("1-0.wav"))
    assert home.check().num_faults


def test_a_file_cut_short_is_truncated_although_it_decodes(home):
    whole = home.path("3-1.wav").read_bytes()
    home.path("3-1.wav").write_bytes(whole[: len(whole) // 2])
    health = home.check()
    assert kinds(health) == {"truncated": ("3-1.wav",)}
    assert not health.is_usable


def test_silence_is_below_80_dbfs_a_warning_and_no_ones_twin(home):
    for name, peak in (("1-0.wav", 0.9), ("2-0.wav", 0.5), ("3-0.wav", 1.5)):
        samples = np.zeros(2000)
        samples[7] = peak * SILENT_PEAK
        write(home.path(name), samples)
    health = home.check()
    assert kinds(health) == {"silent": ("1-0.wav", "2-0.wav")}
    assert health.is_usable


def test_the_same_sound_in_two_folds_leaks_whatever_its_format(home):
    home.rows[4][0] = "2-1.flac"
    samples = decode(home.path("1-1.wav")).samples
    write(home.path("2-1.flac"), samples)
    health = home.check()
    assert kinds(health) == {"leaking duplicates": ("1-1.wav", "2-1.flac")}
    assert "1-1.wav (fold 1) = 2-1.flac (fold 2)" in health.findings[0].text
    assert not health.is_usable


def test_the_same_sound_in_one_fold_is_a_duplicate_and_at_odds_under_two_labels(home):
    shutil.copy(home.path("1-0.wav"), home.path("1-1.wav"))
    health = home.check()
    assert kinds(health) == dict.fromkeys(
        ("conflicting labels", "duplicated"), ("1-0.wav", "1-1.wav")
    )
    assert health.is_usable


def test_a_source_in_two_folds_leaks_and_is_told_although_training_would_refuse(home):
    home.rows[8][5] = home.rows[0][5]
    health = home.check()
    assert kinds(health) == {"leaking": ("1-0.wav", "3-2.wav")}
    assert "more than one fold" in health.findings[0].text
    assert not health.is_usable


def test_a_class_that_a_fold_lacks_is_named_and_one_that_is_never_learned_is_a_fault(home):
    home.rows = [row for row in home.rows if row[0] != "2-1.wav"]
    fault, warning = home.check().findings
    assert (warning.kind, warning.is_fault) == ("absent class", False)
    assert "1 class has no clip in fold 2: c1" in warning.text
    # Of three folds one is trained on: the second, where the third is tested on.
    assert (fault.kind, fault.is_fault) == ("untrained class", True)
    assert "fold 3: c1" in fault.text


def test_faults_come_before_warnings(home):
    write(home.path("1-0.wav"), np.zeros(100))
    home.path("2-0.wav").unlink()
    assert [finding.is_fault for finding in home.check().findings] == [True, False]


def test_segments_that_were_left_out_are_counted(tmp_path):
    (tmp_path / "class_labels_indices.csv").write_text("index,mid,display_name\n0,/m/a,A\n")
    for list_, videos in {"balanced_train": range(20), "eval": range(20, 24)}.items():
        rows = "".join(f'video{i:06d}, 0.000, 10.000, "/m/a"\n' for i in videos)
        (tmp_path / f"{list_}_segments.csv").write_text(rows)
    for i in range(1, 24):
        write(tmp_path / "audio" / f"video{i:06d}.wav", uniform_noise(2000, peak=0.3, seed=i))
    data = AudioSet(root=str(tmp_path), missing="leave_out", val_percent=30)
    health = check(data, tmp_path, lambda done, total: None)
    assert kinds(health) == {"skipped": ("video000000_0",)}
    assert health.is_usable
    assert health.findings[0].text.startswith("1 of 24 listed clips skipped")


UNREAD = Waveform(np.zeros(1, np.float32), RATE)


def encoded(ending: str, num_samples: int = 40_000) -> bytes:
    content = io.BytesIO()
    sf.write(
        content,
        uniform_noise(num_samples, peak=0.3, seed=1),
        16_000,
        SUBTYPES.get(ending, "PCM_16"),
        format=ending,
    )
    return content.getvalue()


@pytest.mark.parametrize("ending", [*SUBTYPES, "w64", "au", "caf"])
def test_a_whole_file_lacks_nothing(ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(encoded(ending))
    assert truncation(path, decode(path)) == ""


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_lost_end_is_noticed_in_every_format_that_promises_one(ending, share, tmp_path):
    whole = encoded(ending)
    path = tmp_path / f"a.{ending}"
    path.write_bytes(whole[: int(share * len(whole))])
    assert truncation(path, decode(path))


@pytest.mark.parametrize("ending", ["w64", "au", "caf"])
def test_a_lost_end_is_noticed_in_headers_with_other_sizes(ending, tmp_path):
    whole = encoded(ending)
    path = tmp_path / f"a.{ending}"
    path.write_bytes(whole[: len(whole) // 2])
    assert "bytes of samples" in truncation(path, UNREAD)  # whether or not it decodes


@pytest.mark.parametrize("ending", ["flac", "ogg"])
def test_a_hole_in_the_middle_is_noticed(ending, tmp_path):
    whole = encoded(ending)
    path = tmp_path / f"a.{ending}"
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(4000) + whole[middle + 4000 :])
    assert truncation(path, decode(path))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_written_into_a_pipe_promises_no_length(size, tmp_path):
    content = encoded("wav")
    start = content.index(b"data") + 4
    path = tmp_path / "a.wav"
    path.write_bytes(content[:start] + size.to_bytes(4, "little") + content[start + 4 :])
    assert truncation(path, UNREAD) == ""


def test_chunks_before_the_samples_are_passed_over_with_their_pad_byte(tmp_path):
    content = encoded("wav")
    note = b"LIST" + (5).to_bytes(4, "little") + b"hello\0"
    path = tmp_path / "a.wav"
    path.write_bytes(content[:12] + note + content[12:])
    assert truncation(path, UNREAD) == ""
    path.write_bytes(path.read_bytes()[:-1])
    assert truncation(path, UNREAD)


@needs_recordings
def test_real_recordings_are_sound():
    data = SpeechCommands(root=str(RECORDINGS / "fsdd"))
    health = check(data, RECORDINGS, lambda done, total: None)
    assert health.findings == ()
    assert health.sides == {"train": 400, "val": 100, "test": 100}


@needs_recordings
def test_real_vorbis_files_lack_nothing():
    paths = sorted((RECORDINGS / "esc10" / "audio").iterdir())[::20]
    assert [truncation(path, decode(path)) for path in paths] == [""] * len(paths)
