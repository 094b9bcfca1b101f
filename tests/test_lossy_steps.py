"""Whatever bends a clip between its file and the model is counted, and told with its name."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf  # noqa: TID251  (the files to examine have to come from somewhere)
from helpers.audio import uniform_noise

from audiocls.audio.check.findings import CANCELLED_DB, CLIPPED_SHARE
from audiocls.audio.check.probe import (
    DecodedInfo,
    DecodeFailure,
    keep_probes,
    kept_probes,
    probe,
    probe_all,
)
from audiocls.audio.check.truncation import truncation
from audiocls.audio.clips import Clip
from audiocls.audio.decode import COARSE_RATE, HIGHEST_RATE, LOWEST_RATE, decode
from audiocls.audio.mpeg import mpeg_length
from audiocls.audio.pack import clipped_share
from audiocls.audio.stream import windows
from audiocls.errors import DataError

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)


def written(path: Path, samples: np.ndarray = TONE, rate: int = RATE, **how: str) -> Path:
    sf.write(path, samples, rate, **how)
    return path


def info(path: Path) -> DecodedInfo:
    found = probe(path)
    assert isinstance(found, DecodedInfo), found
    return found


def with_rate(path: Path, rate: int) -> Path:
    content = bytearray(written(path).read_bytes())
    content[24:28] = struct.pack("<I", rate)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("ending", "how"),
    [
        ("wav", {"subtype": "GSM610"}),
        ("aifc", {"format": "AIFF", "subtype": "GSM610"}),
        ("wav", {"subtype": "G721_32"}),
        ("au", {"subtype": "G721_32"}),
        ("wav", {"subtype": "IMA_ADPCM"}),
        ("wav", {"subtype": "NMS_ADPCM_16"}),
    ],
)
def test_formats_that_cannot_seek_decode_whole_and_in_blocks_alike(ending, how, tmp_path):
    path = written(tmp_path / f"a.{ending}", **how)
    whole = decode(path)
    assert len(whole.samples) >= RATE
    assert not whole.is_partial
    assert np.array_equal(np.concatenate(list(windows(path, RATE, 1000))), whole.samples)
    assert truncation(path, whole) == ""


@pytest.mark.parametrize(
    "rate", [0, 1, LOWEST_RATE - 1, HIGHEST_RATE + 1, 999_983, 100_000_003, 2**31 - 1, 2**32 - 1]
)
def test_an_absurd_rate_is_refused_by_name_wherever_the_file_is_read(rate, tmp_path):
    path = with_rate(tmp_path / "a.wav", rate)
    with pytest.raises(DataError, match=r"a\.wav"):
        decode(path)
    with pytest.raises(DataError, match=r"a\.wav"):
        list(windows(path, 16000, 16000))
    assert isinstance(probe(path), DecodeFailure)


@pytest.mark.parametrize("rate", [LOWEST_RATE, 214_285, COARSE_RATE, 500_000, HIGHEST_RATE])
def test_rates_of_slow_sensors_and_of_bat_detectors_are_read(rate, tmp_path):
    assert decode(with_rate(tmp_path / "a.wav", rate)).sample_rate == rate


def test_energy_beyond_full_scale_is_a_share_of_all_of_it():
    assert clipped_share(TONE.astype(np.float32)) == 0
    twice = np.array([2.0, -2.0], np.float32)
    assert clipped_share(twice) == pytest.approx(0.25)
    assert clipped_share(np.array([3e38], np.float32)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("gain", "is_degraded"), [(1.0, False), (2.1, False), (4, True), (65536, True)]
)
def test_a_clip_is_clipped_when_that_changes_its_sound_and_not_by_an_overshoot(
    gain, is_degraded, tmp_path
):
    found = info(written(tmp_path / "a.wav", gain * TONE, subtype="FLOAT"))
    assert found.peak == pytest.approx(gain / 2, rel=1e-3)
    assert (found.clipped > CLIPPED_SHARE) == is_degraded


@pytest.mark.parametrize(
    ("other", "is_lost"),
    [(-TONE, True), (-0.95 * TONE, True), (TONE, False), (0 * TONE, False), (-0.2 * TONE, False)],
)
def test_channels_that_cancel_are_measured_against_unrelated_ones(other, is_lost, tmp_path):
    path = written(tmp_path / "a.wav", np.stack([TONE, other], axis=1), subtype="FLOAT")
    assert (info(path).cancelled_db > CANCELLED_DB) == is_lost


def test_unrelated_channels_do_not_cancel_however_many(tmp_path):
    path = written(tmp_path / "a.wav", uniform_noise(4000, 64, peak=0.3))
    assert info(path).cancelled_db < 1


def shortened(path: Path, name: bytes, size: int, order: str = "<") -> Path:
    """Write another size into the header of the chunk of samples."""
    content = bytearray(path.read_bytes())
    at = content.index(name) + 4
    content[at : at + 4] = struct.pack(f"{order}I", size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("share", [0.005, 0.1, 0.9])
def test_a_wav_that_holds_more_than_its_header_says_is_told(share, tmp_path):
    size = int(2 * RATE * share) // 2 * 2
    path = shortened(written(tmp_path / "a.wav"), b"data", size)
    assert truncation(path, decode(path)) == f"16000 bytes of samples, where its header says {size}"


def test_an_aiff_that_lacks_its_end_or_holds_more_is_told(tmp_path):
    path = written(tmp_path / "a.aiff")
    assert truncation(path, decode(path)) == ""
    path.write_bytes(path.read_bytes()[:-4000])
    assert "of 16008 bytes" in truncation(path, decode(path))
    path = shortened(written(tmp_path / "b.aiff"), b"SSND", 4008, ">")
    assert "where its header says 4008" in truncation(path, decode(path))


def test_an_rf64_is_held_to_the_size_of_64_bits(tmp_path):
    path = written(tmp_path / "a.rf64", format="RF64")
    assert truncation(path, decode(path)) == ""
    path.write_bytes(path.read_bytes()[:-4000])
    assert truncation(path, decode(path)) == "12000 of 16000 bytes of samples"


@pytest.mark.parametrize("tail", [b"LIST\x04\0\0\0INFO", b"id3 \x03\0\0\0abc", b"TAG" + bytes(125)])
def test_chunks_tags_and_padding_after_the_samples_are_no_samples(tail, tmp_path):
    path = written(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes() + tail)
    assert truncation(path, decode(path)) == ""
    path.write_bytes(path.read_bytes() + bytes(100_000))
    assert truncation(path, decode(path)) == ""


def test_a_header_that_was_never_completed_is_said_to_be_that(tmp_path):
    path = shortened(written(tmp_path / "a.wav"), b"data", 0)
    with pytest.raises(DataError, match="never completed, whose size says 0"):
        decode(path)


def mp3(path: Path, seconds: float = 3, channels: int = 1, rate: int = 44100) -> Path:
    shape = (int(seconds * rate), channels)
    return written(path, uniform_noise(*shape, peak=0.3), rate, format="MP3")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_the_frames_of_an_mp3_are_as_long_as_what_decodes(channels, rate, tmp_path):
    path = mp3(tmp_path / "a.mp3", 3, channels, rate)
    length, waveform = mpeg_length(path), decode(path)
    assert abs(length.held - len(waveform.samples)) <= 4 * length.frame_samples
    assert truncation(path, waveform) == ""


def test_an_mp3_cut_off_is_held_to_its_headers_count_and_a_hole_to_the_frames_behind(tmp_path):
    whole = mp3(tmp_path / "a.mp3").read_bytes()
    uncounted = whole.replace(b"Xing", bytes(4)).replace(b"Info", bytes(4))
    for name, content in (
        ("cut", whole[: len(whole) // 2]),
        ("hole", uncounted[:8000] + bytes(4000) + uncounted[12000:]),
    ):
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(content)
        assert bool(mpeg_length(path).announced) == (name == "cut")
        assert "samples" in info(path).truncation


def test_an_mp3_followed_by_another_holds_more_than_its_header_counts(tmp_path):
    path = mp3(tmp_path / "a.mp3")
    path.write_bytes(2 * path.read_bytes())
    assert "samples" in info(path).truncation


def test_what_the_mp3_decoder_prints_does_not_reach_the_terminal(tmp_path, capfd):
    whole = mp3(tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(whole[:8000] + bytes(4000) + whole[12000:])
    (tmp_path / "b.mp3").write_bytes(b"hello, this is no music\n" * 100)
    probe_all(
        [Clip(name, tmp_path / name, (0,), name) for name in ("a.mp3", "b.mp3")] * 4,
        lambda done, total: None,
    )
    list(windows(tmp_path / "a.mp3", 16000, 16000))
    assert capfd.readouterr().err == ""


def test_python_goes_on_writing_while_a_decoder_is_silenced(tmp_path):
    mp3(tmp_path / "a.mp3")
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from audiocls.audio.mpeg import silenced_decoder\n"
        "for turn in 'xy':\n"
        "    with silenced_decoder(Path('a.mp3')):\n"
        "        os.write(2, b'noise'); print('word' + turn, file=sys.stderr)\n"
        "os.write(2, b'end')\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True)
    assert ran.stderr == b"wordx\nwordy\nend"


def test_a_file_that_was_hardly_written_is_refused_and_a_long_one_is_not(tmp_path):
    content = written(tmp_path / "a.wav").read_bytes()
    path = tmp_path / "sparse.wav"
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(1 << 28)
    if path.stat().st_blocks * 512 > 1 << 27:
        pytest.skip("no sparse files here")
    with pytest.raises(DataError, match="were ever written"):
        decode(path)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    for name in ("pipe.wav", "zero.wav"):
        with pytest.raises(DataError, match="device, pipe or socket"):
            decode(tmp_path / name)


def test_names_that_no_text_can_hold_are_refused_in_words_that_can_be_printed(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.wav"))
    path.write_bytes(written(tmp_path / "a.wav").read_bytes())
    for name in (path, tmp_path / ("x" * 300), Path(f"{tmp_path}/a\0b.wav")):
        with pytest.raises(DataError) as raised:
            decode(name)
        str(raised.value).encode()


def test_probes_are_kept_by_fingerprint_and_a_damaged_memo_is_none(tmp_path):
    found = [info(written(tmp_path / "a.wav")), DecodeFailure(False, "why")]
    keep_probes(found, "abc", tmp_path)
    assert kept_probes("abc", tmp_path, 2) == found
    assert kept_probes("abc", tmp_path, 3) is None
    assert kept_probes("other", tmp_path, 2) is None
    for content in ("", "[]", '{"schema": 1}', '{"schema": 1, "probes": [1, 2]}'):
        (tmp_path / "checks" / "abc.json").write_text(content)
        assert kept_probes("abc", tmp_path, 2) is None
