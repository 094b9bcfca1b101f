from pathlib import Path

import numpy as np
import pytest
import soundfile as sf  # noqa: TID251  (the files to decode have to come from somewhere)
from helpers.audio import sine, white_noise

from audiocls.audio.decode import FORMATS, decode, supported_formats
from audiocls.errors import DataError

RATE = 16000


def tone(num_samples: int = RATE) -> np.ndarray:
    return 0.5 * sine(440, RATE, num_samples)[0].numpy()


def written(path: Path, samples: np.ndarray, subtype: str | None = None) -> Path:
    sf.write(path, samples, RATE, subtype=subtype)
    return path


def truncated(path: Path, part: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    return path


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_decodes_to_the_tone_that_was_written(tmp_path, extension):
    got = decode(written(tmp_path / f"tone.{extension}", tone()))
    assert got.sample_rate == RATE
    assert got.samples.dtype == np.float32
    assert got.samples.ndim == 1
    spectrum = np.abs(np.fft.rfft(got.samples[:RATE]))
    assert spectrum.argmax() == pytest.approx(440, abs=2)
    assert np.abs(got.samples).max() == pytest.approx(0.5, abs=0.05)


def test_the_installed_libsndfile_reads_all_four_formats():
    assert supported_formats() == dict.fromkeys(FORMATS, True)


def test_lossless_formats_keep_16_bit_samples_exactly(tmp_path):
    samples = np.round(tone() * 32767) / 32768
    for extension in ("wav", "flac"):
        got = decode(written(tmp_path / f"tone.{extension}", samples)).samples
        assert np.array_equal(got, samples.astype(np.float32))


def test_stereo_is_averaged(tmp_path):
    left, right = tone(), np.full(RATE, 0.25, np.float32)
    got = decode(written(tmp_path / "a.wav", np.stack([left, right], axis=1), "FLOAT"))
    np.testing.assert_allclose(got.samples, (left + right) / 2, atol=1e-7)


def test_silence_is_legal(tmp_path):
    got = decode(written(tmp_path / "silent.wav", np.zeros(100, np.float32)))
    assert not got.samples.any()
    assert len(got.samples) == 100


def test_a_wav_whose_header_promises_more_decodes_to_what_is_there(tmp_path):
    path = truncated(written(tmp_path / "cut.wav", tone(), "PCM_16"), 0.5)
    held = (path.stat().st_size - 44) // 2
    got = decode(path).samples
    assert len(got) == held
    np.testing.assert_allclose(got, tone()[:held], atol=1e-4)


def test_a_truncated_flac_decodes_to_its_intact_beginning(tmp_path):
    whole = written(tmp_path / "cut.flac", tone(8 * RATE) + 0.1 * white_noise(8 * RATE).numpy())
    expected = decode(whole).samples
    got = decode(truncated(whole, 0.5)).samples
    assert 0.3 * len(expected) < len(got) < 0.6 * len(expected)
    assert np.array_equal(got, expected[: len(got)])


FAULTS = {
    "missing.wav": (None, "no such file"),
    "empty.wav": (b"", "empty file"),
    "garbage.wav": (bytes(range(256)) * 8, "do not decode"),
    "text.mp3": (b"hello, this is no music\n" * 50, "do not decode"),
    "page.ogg": (b"<html>404</html>" * 20, "do not decode"),
    "noise.raw": (bytes(range(256)) * 8, "do not decode"),
    "stub.wav": (b"RIFF\x24\x00\x00\x00WAVEfmt ", "do not decode"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_decoded_is_named_with_what_was_got(tmp_path, name):
    content, got = FAULTS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=got) as raised:
        decode(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)
    assert "wav, flac, ogg or mp3" in str(raised.value)


def test_a_folder_is_not_a_clip(tmp_path):
    with pytest.raises(DataError, match="got a folder"):
        decode(tmp_path)


@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_a_header_alone_holds_no_samples(tmp_path, extension):
    path = written(tmp_path / f"none.{extension}", np.zeros(0, np.float32))
    with pytest.raises(DataError, match="none"):
        decode(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_counted_and_placed(tmp_path, bad):
    samples = tone()
    samples[[70, 90]] = bad
    with pytest.raises(DataError, match="2 NaN or infinite samples, the first at sample 70"):
        decode(written(tmp_path / "a.wav", samples, "FLOAT"))
