import base64
import json
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from helpers.audio import RECORDINGS
from helpers.recipes import TINY
from helpers.records import finished_study
from helpers.reports import page_of
from scipy.stats import binomtest
from typer.testing import CliRunner

from audiocls.analysis import compare
from audiocls.analysis.clips import compare_clips, scored
from audiocls.api.report import clips_request
from audiocls.api.study import warm_up
from audiocls.audio.clips import Clip
from audiocls.audio.datasets import Synthetic
from audiocls.audio.decode import Waveform, decode
from audiocls.audio.encode import encode
from audiocls.cli import app
from audiocls.config import identity_config, resolve
from audiocls.errors import UsageError
from audiocls.render.build import clips as text
from audiocls.render.build import sounds as sound
from audiocls.render.build.clips import ClipsRequest, section_of
from audiocls.render.build.sounds import audio_snippets, outline, scored_window
from audiocls.render.build.stored import stored_ablation
from audiocls.render.formats.html import to_html
from audiocls.stats import intervals
from audiocls.store import StudyFolder
from audiocls.studies.reports import load_report, read_clips

ESC10 = RECORDINGS / "esc10"
NUM_CLASSES = 4


def answers(given, truth, sources=None, first=0, sureness=3.0):
    """A trial's `predictions.npz`: the class given to each clip, with equal sureness."""
    numbers = np.arange(first, first + len(truth))
    return {
        "clips": np.array([f"clip{i:04d}" for i in numbers]),
        "sources": np.array([f"source{i:04d}" for i in (numbers if sources is None else sources)]),
        "labels": np.array(truth),
        "logits": sureness * np.eye(NUM_CLASSES, dtype=np.float32)[given],
    }


def wrong(truth, places):
    """The true classes, but for another one at `places`."""
    given = np.array(truth)
    given[list(places)] = (given[list(places)] + 1) % NUM_CLASSES
    return given


def compared(study, predictions, labels=()):
    return compare_clips(study, predictions, lambda trial: scored(predictions[trial]), labels)


def two(reference, arm, truth, sources=None):
    """One block of a baseline and an arm, by the places where each is wrong."""
    study, _ = finished_study({"base": [0.5], "arm": [0.5]}, seeds=(0,), folds=(1,))
    wrongs = {"base-0-1": reference, "arm-0-1": arm}
    return study, {
        name: answers(wrong(truth, places), truth, sources) for name, places in wrongs.items()
    }


TRUTH = np.arange(100) % NUM_CLASSES


def test_golden_4_from_the_predictions_of_two_trials():
    found = compared(*two(range(5), range(5, 19), TRUTH)).arms[0]
    assert (len(found.gained), len(found.lost)) == (5, 14)
    assert found.p_clips == pytest.approx(0.063568, abs=5e-7)
    assert found.p_recordings == found.p_holm == found.p_clips
    assert found.delta == pytest.approx(-0.09)
    assert found.ci_low < -0.09 < found.ci_high


def test_swapped_arms_mirror_everything():
    study, predictions = two(range(8), range(5, 19), TRUTH, np.arange(100) // 3)
    there = compared(study, predictions).arms[0]
    back = compared(replace(study, baseline="arm"), predictions).arms[0]
    assert (back.delta, back.ci_low, back.ci_high) == pytest.approx(
        (-there.delta, -there.ci_high, -there.ci_low)
    )
    assert (back.p_clips, back.p_recordings) == (there.p_clips, there.p_recordings)
    assert [clip.clip for clip in back.lost] == [clip.clip for clip in there.gained]
    assert [clip.before for clip in back.lost] == [clip.after for clip in there.gained]
    assert [change.p for change in back.classes] == [change.p for change in there.classes]


def test_identical_predictions_differ_in_nothing():
    found = compared(*two(range(7), range(7), TRUTH)).arms[0]
    assert (found.delta, found.ci_low, found.ci_high) == (0.0, 0.0, 0.0)
    assert found.p_clips == found.p_recordings == found.p_holm == 1.0
    assert found.gained == found.lost == ()
    assert {change.p_holm for change in found.classes} == {1.0}


def test_the_order_in_which_clips_were_scored_does_not_matter():
    study, predictions = two(range(5), range(5, 19), TRUTH)
    expected = compared(study, predictions)
    backwards = {name: array[::-1] for name, array in predictions["arm-0-1"].items()}
    assert compared(study, predictions | {"arm-0-1": backwards}) == expected


@pytest.fixture
def folded():
    """Two seeds × two folds of forty clips each, in recordings of two, errors at random."""
    rng = np.random.default_rng(5)
    study, _ = finished_study({"base": [0.5] * 4, "arm": [0.5] * 4}, seeds=(0, 1), folds=(1, 2))
    truth = TRUTH[:40]
    return study, {
        cell.id: answers(
            wrong(truth, rng.choice(40, 8 if cell.arm == "arm" else 14, replace=False)),
            truth,
            (np.arange(40) + 40 * cell.fold) // 2,
            40 * cell.fold,
        )
        for cell in study.cells
    }


def test_over_seeds_and_folds_the_difference_is_that_of_the_trials_mean_accuracies(folded):
    study, predictions = folded
    found = compared(study, predictions).arms[0]
    assert (found.num_clips, found.num_sources, found.num_blocks) == (80, 40, 4)
    assert found.delta == pytest.approx((14 - 8) / 40)
    by_hand = {
        arm: np.mean([scored(predictions[c.id]).is_right for c in study.cells if c.arm == arm])
        for arm in ("base", "arm")
    }
    assert found.delta == pytest.approx(by_hand["arm"] - by_hand["base"])


def test_recall_per_class_adds_up_to_the_accuracy(folded):
    found = compared(*folded, labels=("dog", "rain", "bell", "saw")).arms[0]
    assert [change.label for change in found.classes] == ["dog", "rain", "bell", "saw"]
    moved = [c.num_clips * (c.recall_after - c.recall_before) for c in found.classes]
    assert sum(moved) / found.num_clips == pytest.approx(found.delta)


def test_a_class_that_is_heard_better_is_named_with_both_recalls():
    of_rain = np.flatnonzero(TRUTH == 1)
    comparison = compared(*two(of_rain[:20], of_rain[:5], TRUTH), labels=("dog", "rain", "a", "b"))
    assert text.notes(comparison) == ["arm: recall of rain 20 % → 80 % (+60.0 points, p 0.0002)."]
    p = binomtest(0, 15).pvalue
    assert comparison.arms[0].classes[1].p_holm == pytest.approx(4 * p)


def test_every_changed_clip_is_named_once_and_the_most_decided_come_first(folded):
    found = compared(*folded).arms[0]
    for sign, side in ((1, found.gained), (-1, found.lost)):
        gains = [sign * clip.gain for clip in side]
        assert gains == sorted(gains, reverse=True)
        assert min(gains) > 0
    named = [clip.clip for clip in (*found.gained, *found.lost)]
    assert len(named) == len(set(named))
    assert sum(clip.gain for clip in (*found.gained, *found.lost)) == round(found.delta * 160)


def test_a_changed_clip_tells_what_each_side_took_it_for():
    study, predictions = two([0], [], TRUTH)
    clip = compared(study, predictions, ("dog", "rain", "bell", "saw")).arms[0].gained[0]
    sure = np.exp(3) / (np.exp(3) + 3)
    assert (clip.clip, clip.source, clip.truth) == ("clip0000", "source0000", "dog")
    assert (clip.before.label, clip.before.num_right) == ("rain", 0)
    assert (clip.after.label, clip.after.num_right) == ("dog", 1)
    assert clip.after.probability == pytest.approx(sure, abs=1e-4)


def test_an_arm_is_compared_with_its_reference():
    study, _ = finished_study({arm: [0.5] for arm in ("base", "a", "b")}, seeds=(0,), folds=(1,))
    study = replace(study, references={"b": "a"})
    wrongs = {"base-0-1": range(9), "a-0-1": range(3), "b-0-1": range(4)}
    predictions = {name: answers(wrong(TRUTH, at), TRUTH) for name, at in wrongs.items()}
    comparison = compared(study, predictions)
    assert [(arm.arm, arm.against, round(100 * arm.delta)) for arm in comparison.arms] == [
        ("a", "base", 6),
        ("b", "a", -1),
    ]
    assert "against" in text.clip_table(comparison).titles


def test_without_an_effect_at_most_alpha_of_studies_name_a_class(monkeypatch):
    """Forty recordings of five clips, of three arms; what an arm changes, it changes together."""
    monkeypatch.setattr(intervals, "NUM_RESAMPLES", 2)  # the intervals are not looked at
    rng = np.random.default_rng(6)
    arms = ("base", "x", "y")
    study, _ = finished_study({arm: [0.5] for arm in arms}, seeds=(0,), folds=(1,))
    sources = np.repeat(np.arange(40), 5)
    truth = sources % NUM_CLASSES
    num, false, by_clips = 150, 0, 0
    for _ in range(num):
        chances = np.repeat(rng.beta(0.4, 0.4, (3, 40)), 5, axis=1)
        errors = rng.random((3, 200)) < chances
        predictions = {
            f"{arm}-0-1": answers(wrong(truth, np.flatnonzero(error)), truth, sources)
            for arm, error in zip(arms, errors, strict=True)
        }
        named = compared(study, predictions)
        false += any(map(named.different_classes, named.arms))
        alone = {k: v | {"sources": v["clips"]} for k, v in predictions.items()}
        as_if_alone = compared(study, alone)
        by_clips += any(map(as_if_alone.different_classes, as_if_alone.arms))
    assert false / num <= 0.05 + 2 * (0.05 * 0.95 / num) ** 0.5
    assert by_clips / num > 0.3


def test_blocks_on_which_other_clips_were_tested_are_left_out_and_told(folded):
    study, predictions = folded
    odd = {**predictions["arm-1-2"], "labels": (TRUTH[:40] + 1) % NUM_CLASSES}
    comparison = compared(study, predictions | {"arm-1-2": odd})
    assert comparison.arms[0].num_blocks == 3
    assert "arm: not the same clips on 1 of 4 blocks." in text.notes(comparison)


# Studies on disk.


@pytest.fixture
def folder(tmp_path, cache):
    """Fold 1 of the tiny synthetic data, which the arm hears a little better; nothing trained."""
    return trained(tmp_path, cache, base=4, arm=1)


def trained(tmp_path, cache, **num_wrong_of):
    """A study of arms that get the first clips of fold 1 wrong, so many each."""
    config = resolve([TINY], "tiny")
    values = {arm: [0.9 - num / 10] for arm, num in num_wrong_of.items()}
    study, records = finished_study(values, seeds=(0,), folds=(1,))
    found = StudyFolder(tmp_path / "runs" / "dropout")
    found.write_study(study)
    table = config.data.table(cache)
    clips = [table.clips[i] for i in table.split(1).test]
    truth = np.array([clip.label for clip in clips])
    for cell, num_wrong in zip(study.cells, num_wrong_of.values(), strict=True):
        given = truth.copy()
        given[:num_wrong] = (given[:num_wrong] + 1) % 10
        trial = found.trial(cell.id)
        trial.write_config(identity_config(config))
        trial.write_checkpoint(b"", {"labels": list(table.labels)})
        trial.write_predictions(
            {
                "clips": np.array([clip.id for clip in clips]),
                "sources": np.array([clip.source for clip in clips]),
                "labels": truth,
                "logits": 2 * np.eye(10)[given],
            }
        )
        trial.finish(records[cell.id])
    return found


def page_with_clips(folder, cache, **options):
    study = folder.study()
    records = folder.records(study.cells)
    part = section_of(folder, study, records, cache, **options)
    return page_of(compare(study, records), study, clips=part)


def sounds_in(page, tmp_path):
    """The sounds that a page holds, decoded."""
    for number, (kind, content) in enumerate(
        re.findall(r'<audio[^>]* src="data:audio/(\w+);base64,([^"]+)"', page)
    ):
        file = tmp_path / f"{number}.{'mp3' if kind == 'mpeg' else kind}"
        file.write_bytes(base64.b64decode(content))
        yield decode(file)


def likeness(one, other):
    """Correlation at the best shift: an MP3 begins some milliseconds late."""
    num = 2 ** (len(one) + len(other)).bit_length()
    product = np.fft.rfft(one, num) * np.conj(np.fft.rfft(other, num))
    return np.fft.irfft(product).max() / (np.linalg.norm(one) * np.linalg.norm(other))


def test_the_page_plays_the_clips_that_changed_sides(folder, cache, tmp_path):
    page = page_with_clips(folder, cache)
    table = {
        clip.id: clip for clip in Synthetic(num_sources=5, clips_per_source=1).table(cache).clips
    }
    played = list(sounds_in(page, tmp_path))
    named = re.findall(r'<span class="file">([^<]+)</span>', page)
    assert len(played) == len(named) == 3
    for sound_, name in zip(played, named, strict=True):
        original = scored_window(decode(table[name].path), duration_s=0.5)
        assert sound_.sample_rate == original.sample_rate
        assert likeness(sound_.samples, original.samples) > 0.95
    assert "http" not in page
    assert "<script src" not in page
    assert re.findall(r'src="(?!data:)', page) == []


def test_what_was_encoded_meanwhile_is_not_encoded_again_and_changes_no_byte(
    tmp_path, cache, monkeypatch
):
    folder = trained(tmp_path, cache, base=4, arm=1, last=0)

    def page():
        return to_html(stored_ablation(load_report(folder), "html", ClipsRequest()).document)

    alone = page()
    sound._encoded.cache_clear()
    record = folder.trial(folder.study().cells[-1].id).path / "record.json"
    record.rename(tmp_path / "awaited.json")
    warm_up(folder.path)
    (tmp_path / "awaited.json").rename(record)
    encoded = []
    monkeypatch.setattr(sound, "encode", lambda wave: (encoded.append(wave), encode(wave))[1])
    assert page() == alone
    assert len(encoded) == 1, "of the four clips that the last arm gained, one is new"


def test_a_recording_that_has_changed_is_read_again(tmp_path):
    clip = Clip("ding", tmp_path / "ding.wav", (0,), "ding", fold=1)

    def excerpt_of(samples):
        clip.path.write_bytes(encode(Waveform(samples, 9000)).content)
        return sound._excerpt({"ding": clip}, 1.0, "ding"), sound._excerpt(
            {"ding": clip}, 1, "ding"
        )

    rising, silent = excerpt_of(np.linspace(0, 1, 900)), excerpt_of(np.zeros(900))
    assert rising[0] is rising[1]
    assert rising[0] != silent[0]


def test_where_the_recordings_are_gone_the_page_says_so_and_names_the_clips(folder, cache):
    page = unescape(page_with_clips(folder, cache, data_root="/nowhere"))
    assert "No clip can be played here" in page
    assert "<audio" not in page
    assert len(re.findall(r'<span class="file">', page)) == 3


def test_too_many_trials_are_not_read_unasked(folder, cache, monkeypatch):
    monkeypatch.setattr(text, "MOST_TRIALS", 1)
    page = page_with_clips(folder, cache)
    assert "audiocls report dropout --format html --clips" in page
    assert "<audio" not in page
    assert "<audio" in page_with_clips(folder, cache, is_requested=True)


def test_a_page_holds_no_more_sound_than_it_may_and_says_so(folder, cache, monkeypatch):
    monkeypatch.setattr(sound, "MOST_BYTES", 1)
    page = page_with_clips(folder, cache)
    assert page.count("<audio") == 1
    assert "2 clips below cannot be played" in page


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (lambda r: replace(r, provenance=replace(r.provenance, code="new")), "different code"),
        (lambda r: replace(r, cost=replace(r.cost, epochs=99)), "unequal compute"),
        (lambda r: replace(r, early_stopped=True), "stopped early"),
    ],
)
def test_an_arm_that_is_not_comparable_has_no_number_clip_by_clip_either(folder, odd, words):
    study = folder.study()
    records = folder.records(study.cells)
    arm = study.cells[-1].id
    (found,) = read_clips(folder, study, records | {arm: odd(records[arm])}).arms
    assert words in found.reason
    assert (found.delta, found.p_clips, found.p_holm) == (None, None, None)
    assert found.gained == found.lost == found.classes == ()


def with_arrays(folder, trial_id, **arrays):
    trial = folder.trial(trial_id)
    trial.write_predictions({**trial.predictions(), **arrays})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f.path / "trials/arm-0-1/predictions.npz").unlink(), "no predictions are kept"),
        (
            lambda f: (f.path / "trials/arm-0-1/predictions.npz").write_bytes(b"PK"),
            "cannot be read",
        ),
        (lambda f: with_arrays(f, "arm-0-1", labels=np.eye(10)), "several labels"),
        (lambda f: with_arrays(f, "arm-0-1", logits=np.full((10, 10), np.nan)), "NaN"),
    ],
)
def test_trials_whose_predictions_cannot_be_used_are_named(folder, cache, damage, words):
    damage(folder)
    page = " ".join(page_with_clips(folder, cache).split())
    assert words in page
    assert "arm, seed 0, fold 1 (arm-0-1)" in page
    assert "no block on which both have predictions" in page


def report(folder, *words):
    result = CliRunner().invoke(app, ["report", str(folder.path), *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_format_tells_the_clips_when_asked(folder):
    told = report(folder, "--clips")
    assert "Clip by clip" in told
    assert "Verdicts rest on pairs of trials" in told
    arms = json.loads(report(folder, "--clips", "--json"))["clips"]["arms"]
    assert [(arm["arm"], len(arm["gained"]), len(arm["lost"])) for arm in arms] == [("arm", 3, 0)]
    assert "### Clip by clip" in report(folder, "--clips", "--format", "md")
    assert "Clip by clip" not in report(folder, "--format", "md")


def test_a_page_is_made_without_torch(folder):
    code = (
        "import sys\n"
        "from audiocls.cli import app\n"
        f"app(['report', {str(folder.path)!r}, '--format', 'html'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "<audio" in (folder.path / "report.html").read_text()


# Sounds.


def test_a_rate_that_mp3_lacks_is_kept_in_16_bits(tmp_path):
    samples = (np.arange(-500, 500) / 1000).astype(np.float32)
    file = encode(Waveform(samples, 12345))
    (tmp_path / "x.wav").write_bytes(file.content)
    again = decode(tmp_path / "x.wav")
    assert (file.media_type, again.sample_rate) == ("audio/wav", 12345)
    assert np.abs(again.samples - samples).max() <= 1 / 32768


def test_what_is_heard_is_the_beginning_of_the_middle_that_a_model_hears():
    ramp = Waveform(np.arange(100, dtype=np.float32), 10)
    assert scored_window(ramp, duration_s=6).samples.tolist() == list(range(20, 70))
    assert scored_window(ramp, duration_s=2).samples.tolist() == list(range(40, 60))
    assert scored_window(ramp, duration_s=60).samples.tolist() == list(range(50))


def test_the_outline_touches_the_peak_and_is_closed():
    wave = Waveform(np.array([0, 0.25, -0.5, 0], np.float32), 8000)
    path = outline(wave)
    assert path.startswith("M0 ")
    assert path.endswith("z")
    heights = [float(point.split()[1]) for point in re.findall(r"[\d.]+ -?[\d.]+", path)]
    assert max(map(abs, heights)) == 1.0


@pytest.mark.skipif(not ESC10.exists(), reason="the recordings are not beside the project")
def test_real_recordings_are_heard(cache, tmp_path):
    data = {"name": "esc50", "root": str(ESC10)}
    files = sorted(file.name for file in (ESC10 / "audio").iterdir())[:3]
    found = audio_snippets(data, cache, [*files, "gone.ogg"])
    assert list(found.excerpts) == files
    assert "gone.ogg" in found.note
    page = "".join(f'<audio src="{excerpt.address}">' for excerpt in found.excerpts.values())
    for sound_, name in zip(sounds_in(page, tmp_path), files, strict=True):
        original = scored_window(decode(ESC10 / "audio" / name), duration_s=5.0)
        assert likeness(sound_.samples, original.samples) > 0.9


def test_options_without_effect_are_refused(tmp_path):
    with pytest.raises(UsageError, match=re.escape("allowed in a report: data.root=DIR")):
        clips_request(False, ["optim.lr=1"])
    words = ["report", "x", "--runs", str(tmp_path), "--format", "md", "--set", "data.root=x"]
    ran = CliRunner().invoke(app, words)
    assert (ran.exit_code, "--format html only" in ran.output) == (2, True)
