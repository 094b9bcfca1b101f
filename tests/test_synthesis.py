import numpy as np
import pytest
from scipy import signal

from audiocls.audio import generators
from audiocls.audio.datasets import synthetic
from audiocls.audio.synthesis import CLASSES, SOUNDS, synthesise, voice_of

RATE = 16000
NUM_SAMPLES = RATE


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def instantaneous_hz(wave: np.ndarray) -> np.ndarray:
    phase = np.unwrap(np.angle(signal.hilbert(wave)))
    return np.diff(phase)[500:-500] * RATE / (2 * np.pi)


def peaks_hz(wave: np.ndarray, above: float = 0.02) -> np.ndarray:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    found, _ = signal.find_peaks(spectrum, height=above * spectrum.max(), distance=20)
    return found * RATE / len(wave)


def clip(**changes) -> np.ndarray:
    asked = {"seed": 0, "label": 0, "source": 0, "take": 0, "difficulty": 0.5} | changes
    return synthesise(num_samples=NUM_SAMPLES, sample_rate=RATE, **asked)


def test_a_chirp_rises_from_its_start_to_its_stop():
    hz = instantaneous_hz(generators.chirp(rng(), NUM_SAMPLES, RATE, 300, 2400))
    assert np.all(np.diff(hz[::400]) > 0)
    np.testing.assert_allclose(hz[[0, -1]], [300, 2400], rtol=0.12)


def test_a_chirp_passes_the_geometric_middle_half_way():
    hz = instantaneous_hz(generators.chirp(rng(), NUM_SAMPLES, RATE, 400, 1600))
    assert hz[len(hz) // 2] == pytest.approx(800, rel=0.02)


def test_chirp_down_falls_where_chirp_up_rises():
    voice = voice_of(0, 0, 0)
    up = instantaneous_hz(SOUNDS["chirp_up"](rng(), NUM_SAMPLES, RATE, voice))
    down = instantaneous_hz(SOUNDS["chirp_down"](rng(), NUM_SAMPLES, RATE, voice))
    np.testing.assert_allclose(up[200:-200:400], down[::-1][200:-200:400], rtol=0.05)
    assert up[-1] > up[0]


def test_the_envelope_of_an_am_tone_beats_at_its_rate():
    wave = generators.am_tone(rng(), NUM_SAMPLES, RATE, 1000, 12)
    envelope = np.abs(signal.hilbert(wave))
    spectrum = np.abs(np.fft.rfft(envelope - envelope.mean()))
    assert spectrum.argmax() * RATE / NUM_SAMPLES == pytest.approx(12, abs=1)


def test_an_fm_tone_keeps_its_loudness_and_swings_its_pitch():
    wave = generators.fm_tone(rng(), NUM_SAMPLES, RATE, 1000, 10, excursion=0.1)
    hz = instantaneous_hz(wave)
    assert np.abs(signal.hilbert(wave))[500:-500].std() < 0.01
    np.testing.assert_allclose([hz.min(), hz.max()], [900, 1100], rtol=0.01)


def test_the_peaks_of_a_buzz_are_multiples_of_its_pitch():
    ratios = peaks_hz(generators.buzz(rng(), NUM_SAMPLES, RATE, 400)) / 400
    assert len(ratios) > 10
    np.testing.assert_allclose(ratios, ratios.round(), atol=0.01)


def test_the_peaks_of_a_bell_are_not():
    ratios = peaks_hz(generators.bell(rng(), NUM_SAMPLES, RATE, 400, decay_s=2.0)) / 400
    assert len(ratios) > 4
    assert np.abs(ratios - ratios.round()).max() > 0.2
    assert np.abs(ratios / ratios[0] - (ratios / ratios[0]).round()).max() > 0.2


def test_partials_above_half_the_rate_are_left_out_not_folded_back():
    peaks = peaks_hz(generators.buzz(rng(), NUM_SAMPLES, RATE, 3000, tilt=0.0))
    np.testing.assert_allclose(peaks, [3000, 6000], atol=2)


def test_a_pluck_is_harmonic_and_dies_away():
    wave = generators.pluck(rng(), NUM_SAMPLES, RATE, 200)
    pitch = RATE / (round(RATE / 200 - 0.5) + 0.5)
    ratios = peaks_hz(wave, above=0.1) / pitch
    np.testing.assert_allclose(ratios, ratios.round(), atol=0.06)
    assert np.std(wave[-4000:]) < 0.5 * np.std(wave[:4000])


@pytest.mark.parametrize("sound", [generators.clicks, generators.noise_bursts])
def test_strokes_come_at_their_rate(sound):
    wave = sound(rng(), 4 * RATE, RATE, 800, 10)
    envelope = np.abs(signal.hilbert(wave))
    spectrum = np.abs(np.fft.rfft(envelope - envelope.mean()))[: 4 * 15]
    assert spectrum.argmax() / 4 == pytest.approx(10, abs=0.75)


def test_clicks_ring_at_their_pitch_and_bursts_are_wider():
    def width(wave: np.ndarray) -> float:
        hz, power = signal.welch(wave, RATE, nperseg=1024)
        centre = np.average(hz, weights=power)
        assert centre == pytest.approx(1000, rel=0.25)
        return float(np.sqrt(np.average((hz - centre) ** 2, weights=power)))

    ringing = width(generators.clicks(rng(), 4 * RATE, RATE, 1000, 10, decay_s=0.02))
    hissing = width(generators.noise_bursts(rng(), 4 * RATE, RATE, 1000, 10, decay_s=0.02))
    assert ringing < hissing


def test_the_centre_of_swept_noise_glides_to_its_stop():
    wave = generators.swept_noise(rng(), 2 * RATE, RATE, 500, 2000)
    hz, _, power = signal.spectrogram(wave, RATE, nperseg=2048)
    centres = (hz[:, None] * power).sum(0) / power.sum(0)
    np.testing.assert_allclose(centres[[0, -1]], [530, 1900], rtol=0.12)


@pytest.mark.parametrize(("exponent", "slope_db"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_coloured_noise_falls_by_its_exponent_each_octave(exponent, slope_db):
    wave = generators.coloured_noise(rng(), 8 * RATE, exponent)
    hz, power = signal.welch(wave, RATE, nperseg=1024)
    inside = (hz > 200) & (hz < 6000)
    slope, _ = np.polyfit(np.log2(hz[inside]), 10 * np.log10(power[inside]), 1)
    assert slope == pytest.approx(slope_db, abs=0.2)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("rate", [8000, 16000])
def test_every_sound_is_float32_of_the_length_asked_for_within_full_scale(name, rate):
    wave = SOUNDS[name](rng(), 4000, rate, voice_of(0, 0, 0))
    assert wave.shape == (4000,)
    assert wave.dtype == np.float32
    assert np.isfinite(wave).all()
    assert 0.9 < np.abs(wave).max() <= 1.0001


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_a_clip_is_the_same_bit_for_bit_from_its_seed(label):
    once = clip(label=label)
    assert once.dtype == np.float32
    assert np.abs(once).max() < 1
    assert np.array_equal(once, clip(label=label))


@pytest.mark.parametrize("change", ["seed", "label", "source", "take", "difficulty"])
def test_anything_else_asked_for_sounds_different(change):
    assert not np.array_equal(clip(), clip(**{change: 1}))


def test_clips_of_one_source_share_its_voice_and_other_sources_have_their_own():
    assert voice_of(0, 3, 4) == voice_of(0, 3, 4)
    assert voice_of(0, 3, 4) != voice_of(0, 3, 5)
    assert voice_of(0, 3, 4) != voice_of(1, 3, 4)


def test_difficulty_buries_the_event_in_noise():
    def flatness(wave: np.ndarray) -> float:
        _, power = signal.welch(wave, RATE, nperseg=512)
        return float(np.exp(np.log(power).mean()) / power.mean())

    easy, hard = (
        np.mean([flatness(clip(label=3, source=s, difficulty=d)) for s in range(8)]) for d in (0, 1)
    )
    assert hard > 3 * easy


def test_the_room_for_the_clips_is_reserved_for_every_class():
    assert len(CLASSES) == synthetic._NUM_CLASSES
