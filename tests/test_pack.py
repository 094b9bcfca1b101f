"""The packed cache: the same sound as the files, made once, whole or refused.

Legend: N clips, T samples.
"""

import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.audio import uniform_noise, write_wav

from audiocls.atomic import build_once
from audiocls.audio import pack as pack_module
from audiocls.audio.clips import Clip, ClipTable, fingerprint
from audiocls.audio.dataset import open_dataset
from audiocls.audio.datasets import Synthetic
from audiocls.audio.decode import Waveform, decode
from audiocls.audio.feature_cache import MOST_CLIPS
from audiocls.audio.features import LogMel, Raw
from audiocls.audio.pack import FULL_SCALE, open_pack, pack_folder, require_room, resample
from audiocls.errors import DataError, MachineFault

RATE = 8000
LENGTHS = (4000, 1, 2500, 8001)


def table_of(files: list[Path]) -> ClipTable:
    clips = tuple(Clip(p.name, p, (0,), p.name, fold=i % 3 + 1) for i, p in enumerate(files))
    return ClipTable(clips, ("x",), (1, 2, 3))


@pytest.fixture
def table(tmp_path: Path) -> ClipTable:
    random = np.random.default_rng(0)
    files = [
        write_wav(tmp_path / f"{i}.wav", random.uniform(-1, 1, n), RATE)
        for i, n in enumerate(LENGTHS)
    ]
    return table_of(files)


def every(table: ClipTable) -> np.ndarray:
    return np.arange(len(table.clips))


def test_the_pack_is_the_decoded_audio_to_sixteen_bits(table, tmp_path):
    pack = open_pack(table, "f", RATE, tmp_path)
    assert pack.lengths(every(table)).tolist() == list(LENGTHS)
    for i, clip in enumerate(table.clips):
        packed = pack.waveforms(np.array([i]), LENGTHS[i], np.array([0]))[0]
        assert np.abs(packed - decode(clip.path).samples).max() <= 1 / FULL_SCALE


def test_samples_beyond_full_scale_are_clipped_and_do_not_wrap_around():
    hot = np.array([1.5, -1.5, 1.0, -1.0], np.float32)
    packed = pack_module._to_int16(hot)
    assert packed.tolist() == [32767, -32768, 32767, -32768]


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_a_tone_keeps_its_frequency_length_and_level_at_another_rate(tmp_path, rate):
    seconds, hertz = 0.5, 440.0
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    table = table_of([write_wav(tmp_path / "tone.wav", tone, rate)])
    pack = open_pack(table, "f", 16000, tmp_path)
    num_samples = int(pack.lengths(np.array([0]))[0])
    assert num_samples == round(seconds * 16000)
    heard = pack.centred(np.array([0]), num_samples)[0]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(num_samples)))
    assert spectrum.argmax() / seconds == pytest.approx(hertz, abs=1 / seconds)
    assert heard[500:-500].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_what_the_new_rate_cannot_hold_is_filtered_out_and_not_folded_back():
    rate = 44100
    tone = np.sin(2 * np.pi * 15000 * np.arange(rate) / rate).astype(np.float32)
    assert np.abs(resample(Waveform(tone, rate), 16000)[500:-500]).max() < 0.02


def test_audio_at_the_right_rate_already_is_not_touched():
    wave_ = Waveform(np.ones(5, np.float32), RATE)
    assert resample(wave_, RATE) is wave_.samples


def test_clips_are_decoded_and_resampled_once(table, tmp_path, monkeypatch):
    first = open_pack(table, "f", 4000, tmp_path).samples.copy()

    def never(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(pack_module, "decode_clip", never)
    monkeypatch.setattr(pack_module, "resample", never)
    assert np.array_equal(open_pack(table, "f", 4000, tmp_path).samples, first)


def test_portions_do_not_show(table, tmp_path, monkeypatch):
    whole = open_pack(table, "a", RATE, tmp_path)
    monkeypatch.setattr(pack_module, "CHUNK_CLIPS", 1)
    in_portions = open_pack(table, "b", RATE, tmp_path)
    assert np.array_equal(whole.samples, in_portions.samples)
    assert np.array_equal(whole.starts, in_portions.starts)


BUILD = """
import hashlib, sys, time
from pathlib import Path
from audiocls.audio.clips import Clip, ClipTable
from audiocls.audio.pack import open_pack, require_room
sounds, cache, start = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
files = sorted(sounds.glob("*.wav"))
clips = tuple(Clip(p.name, p, (0,), p.name, fold=i % 3 + 1) for i, p in enumerate(files))
table = ClipTable(clips, ("x",), (1, 2, 3))
time.sleep(max(0, start - time.time()))
pack = open_pack(table, "f", 8000, cache)
print(len(pack.samples), hashlib.sha256(pack.samples).hexdigest())
"""


def test_processes_that_build_at_once_get_one_whole_pack(tmp_path):
    for i in range(60):
        write_wav(tmp_path / f"{i:02}.wav", np.full(4000, i / 100), RATE)
    cache = tmp_path / "cache"
    start = time.time() + 0.8  # when all of them have started
    command = [sys.executable, "-c", BUILD, str(tmp_path), str(cache), str(start)]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate()[0] for process in racing}
    assert [process.returncode for process in racing] == [0, 0, 0]
    whole = np.concatenate([np.full(4000, round(i / 100 * 32767), "<i2") for i in range(60)])
    assert len(answers) == 1
    assert answers.pop().split()[0] == str(len(whole))
    assert [path for path in cache.iterdir() if path.is_dir()] == [pack_folder(cache, "f", 8000)]
    samples = np.fromfile(pack_folder(cache, "f", 8000) / "samples.i16", "<i2")
    assert np.abs(samples.astype(int) - whole).max() <= 1


def test_a_maker_killed_midway_leaves_nothing_that_looks_whole(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from audiocls.atomic import build_once\n"
        "def make(beside):\n"
        "    (beside / 'half').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "build_once(Path(sys.argv[1]), make)\n"
    )
    folder = tmp_path / "made"
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not folder.exists()
    build_once(folder, lambda beside: (beside / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_maker_that_fails_leaves_nothing_behind_and_the_next_may_try(tmp_path):
    folder = tmp_path / "made"
    with pytest.raises(ZeroDivisionError):
        build_once(folder, lambda beside: 1 / 0)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert build_once(folder, lambda beside: None).is_dir()


def test_every_bad_clip_of_a_data_set_is_reported_at_once(tmp_path):
    good = write_wav(tmp_path / "good.wav", np.zeros(10), RATE)
    empty_file, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    empty_file.touch()
    text.write_text("no sound")
    table = table_of([empty_file, good, text, tmp_path / "none.wav"])
    with pytest.raises(DataError) as raised:
        open_pack(table, "f", RATE, tmp_path)
    message = str(raised.value)
    assert message.startswith("3 of 4 clips cannot be used")
    assert all(name in message for name in ("empty.wav", "text.wav", "none.wav"))
    assert "good.wav" not in message
    assert not pack_folder(tmp_path, "f", RATE).exists()


def test_a_longer_clip_is_heard_in_its_middle_and_a_shorter_one_padded_with_zeros(tmp_path):
    long, short = np.arange(101) / 32767, np.arange(1, 11) / 32767
    table = table_of(
        [write_wav(tmp_path / "l.wav", long, RATE), write_wav(tmp_path / "s.wav", short, RATE)]
    )
    pack = open_pack(table, "f", RATE, tmp_path)
    waveforms = np.rint(pack.centred(every(table), 21) * 32767)
    assert waveforms[0].tolist() == list(range(40, 61))
    assert waveforms[1].tolist() == [*range(1, 11), *[0] * 11]


def test_a_window_stays_within_its_clip(table, tmp_path):
    pack = open_pack(table, "f", RATE, tmp_path)
    window = pack.waveforms(np.array([0, 2]), 100, np.array([LENGTHS[0] - 3, LENGTHS[2] - 3]))
    assert window[:, :3].all()
    assert not window[:, 3:].any()


def test_a_random_crop_is_a_window_of_the_clip_anywhere_in_it(tmp_path):
    from audiocls.audio.augment.chain import crop_offsets
    from audiocls.audio.augment.clip_rng import ClipRNG

    ramp = np.arange(1, 41) / 32767
    files = [
        write_wav(tmp_path / "l.wav", ramp, RATE),
        write_wav(tmp_path / "s.wav", ramp[:5], RATE),
    ]
    data = Synthetic(duration_s=10 / RATE, sample_rate=RATE)
    sounds = open_dataset(data, Raw(), table_of(files), "f", tmp_path)
    slack = torch.tensor([30, 0])
    starts = set()
    for seed in range(300):
        offsets = crop_offsets(slack, ClipRNG(seed, torch.tensor([0, 1])))
        long, short = sounds.waveforms(np.array([0, 1]), offsets.numpy())
        values = (long * 32767).round()
        assert torch.equal(values.diff(), torch.ones(9))
        assert (short * 32767).round().tolist() == [1, 2, 3, 4, 5, 0, 0, 0, 0, 0]
        starts.add(int(values[0]))
    assert starts == set(range(1, 32))


@pytest.fixture(scope="module")
def synthetic(cache: Path) -> tuple[Synthetic, ClipTable, str]:
    data = Synthetic(num_sources=5, clips_per_source=1, sample_rate=8000, duration_s=0.5)
    table = data.table(cache)
    return data, table, fingerprint(table, cache)


@pytest.mark.parametrize(
    "features",
    [LogMel(n_mels=16, n_fft=256, hop=128), LogMel(n_mels=8, n_fft=128, normalise="clip")],
    ids=lambda features: features.normalise,
)
def test_cached_features_are_the_front_ends_own(synthetic, features, cache):
    data, table, known = synthetic
    sounds = open_dataset(data, features, table, known, cache)
    assert sounds.features is not None
    clips = np.arange(MOST_CLIPS)
    on_the_fly = sounds.front_end(torch.from_numpy(sounds.pack.centred(clips, sounds.num_samples)))
    assert torch.equal(sounds.unaugmented(clips), on_the_fly)
    few = np.array([40, 3])  # another batch size may round differently, no more
    waveforms = torch.from_numpy(sounds.pack.centred(few, sounds.num_samples))
    torch.testing.assert_close(
        sounds.unaugmented(few), sounds.front_end(waveforms), rtol=1e-4, atol=1e-4
    )


def test_features_are_computed_once_and_per_option(synthetic, cache, monkeypatch):
    data, table, known = synthetic
    features = LogMel(n_mels=12, n_fft=256, hop=128)
    first = open_dataset(data, features, table, known, cache)
    before = set(cache.iterdir())
    again = open_dataset(data, features, table, known, cache)
    assert set(cache.iterdir()) == before
    assert np.array_equal(first.features, again.features)
    other = open_dataset(data, features.model_copy(update={"n_mels": 10}), table, known, cache)
    assert other.features.shape[1] == 10
    assert set(cache.iterdir()) != before


def test_raw_audio_is_not_stored_twice(synthetic, cache):
    data, table, known = synthetic
    sounds = open_dataset(data, Raw(), table, known, cache)
    assert sounds.features is None
    clips = np.arange(4)
    expected = sounds.pack.centred(clips, sounds.num_samples)
    assert np.array_equal(sounds.unaugmented(clips)[:, 0].numpy(), expected)


def test_a_wav_at_its_own_rate_is_packed_without_loss(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, 4000) / 32768
    path = write_wav(tmp_path / "all.wav", samples * 32768 / 32767, RATE)
    packed = open_pack(table_of([path]), "f", RATE, tmp_path)
    waveforms = packed.centred(np.array([0]), 4000)
    assert waveforms[0].tolist() == decode(path).samples.tolist()


def test_rates_that_share_no_divisor_are_resampled_in_no_time_and_keep_the_tone():
    rate, target = 22051, 16000
    seconds = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)
    heard = resample(Waveform(tone, rate), target)
    assert len(heard) == target
    wanted = np.sin(2 * np.pi * 1000 * np.arange(target) / target)
    assert np.abs(heard - wanted)[200:-200].max() < 0.01


def test_what_a_killed_process_left_half_made_is_swept_away(tmp_path):
    (tmp_path / ".thing.99999.tmp").mkdir()
    (tmp_path / ".thing.99999.room.tmp").write_bytes(b"reserved")
    build_once(tmp_path / "thing", lambda folder: (folder / "whole").write_text(""))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".thing.lock", "thing"]


def test_building_holds_a_few_recordings_and_never_all_of_them(tmp_path, monkeypatch):
    long = uniform_noise(1_000_000, peak=0.5)
    for i in range(24):
        write_wav(tmp_path / f"{i}.wav", long, RATE)
    clips = [Clip(f"{i}", tmp_path / f"{i}.wav", (0,), f"{i}", fold=i % 3 + 1) for i in range(24)]
    monkeypatch.setattr(pack_module, "CHUNK_SAMPLES", 2_000_000)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    tracemalloc.start()
    pack = open_pack(ClipTable(tuple(clips), ("x",), (1, 2, 3)), "f", RATE, tmp_path / "cache")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pack.samples) == 24_000_000
    # At once are a chunk, those ahead of it, and one that is decoded (as floats, and as doubles).
    assert peak_bytes < 24_000_000 * 2 * 0.8


def test_a_pack_without_room_is_refused_with_what_is_needed_and_what_is_free(tmp_path):
    with pytest.raises(MachineFault, match=r"MiB are free, 1907348632\.8 MiB are needed"):
        require_room(tmp_path / "pack", 10**15)
    (tmp_path / "there").mkdir()
    require_room(tmp_path / "there", 10**15)
