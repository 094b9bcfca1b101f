"""Block by block is the same as all at once."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf  # noqa: TID251  (the files to decode have to come from somewhere)
from helpers.audio import uniform_noise

from audiocls.audio import decode as door
from audiocls.audio import stream as streaming
from audiocls.audio.decode import decode, stream
from audiocls.audio.pack import resample
from audiocls.audio.stream import windows
from audiocls.errors import DataError


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a second of sound is many blocks."""
    monkeypatch.setattr(door, "_STREAMED_FRAMES", 1024)
    monkeypatch.setattr(streaming, "CHUNK_SAMPLES", 2000)


def written(path: Path, rate: int, num_samples: int, channels: int = 2) -> Path:
    sf.write(path, uniform_noise(num_samples, channels), rate)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_blocks_of_any_format_are_the_decoded_file(tmp_path, name):
    path = written(tmp_path / name, 16000, 20_000)
    found = stream(path)
    assert found.sample_rate == 16000
    blocks = np.concatenate(list(found.blocks))
    # An MP3 decoder rounds by what it is asked for at once; the others give the same bits.
    np.testing.assert_allclose(blocks, decode(path).samples, rtol=0, atol=5e-7)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_of_a_truncated_file_blocks_give_what_decoding_gives(tmp_path, part):
    path = written(tmp_path / "cut.flac", 16000, 40_000)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    expected = decode(path).samples
    np.testing.assert_array_equal(np.concatenate(list(stream(path).blocks)), expected)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 44101])
@pytest.mark.parametrize("to", [8000, 16000])
@pytest.mark.parametrize("num_samples", [1, 1000, 60_000])
def test_windows_are_the_resampled_file_cut_up(tmp_path, rate, to, num_samples):
    """No border is heard: neither of windows nor of blocks, at any pair of rates."""
    path = written(tmp_path / "a.wav", rate, num_samples)
    expected = resample(decode(path), to)
    found = list(windows(path, to, 700))
    assert [len(window) for window in found[:-1]] == [700] * (len(found) - 1)
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-6)


def test_a_bad_sample_is_placed_in_the_file_not_in_its_block(tmp_path):
    samples = np.zeros(5000, np.float32)
    samples[3000] = np.nan
    sf.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(DataError, match="the first at sample 3000"):
        list(stream(tmp_path / "a.wav").blocks)


def test_a_header_alone_holds_no_samples(tmp_path):
    path = written(tmp_path / "none.wav", 16000, 0)
    with pytest.raises(DataError, match="no samples"):
        list(windows(path, 8000, 100))


@pytest.mark.parametrize("content", [b"", b"hello, this is no music\n" * 50])
def test_what_is_no_audio_is_refused_before_the_first_block(tmp_path, content):
    (tmp_path / "a.mp3").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mp3"):
        stream(tmp_path / "a.mp3")
