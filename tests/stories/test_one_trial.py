"""One trial on its own, what it can be used for, and what the machine says of itself."""

import pytest
from helpers.audio import uniform_noise, write_wav
from helpers.processes import tiny_home

TRAIN = ("train", "--recipe", "tiny", "optim.lr=2e-3", "--wandb", "disabled")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home in which a trial was trained, for the whole story."""
    home = tiny_home(tmp_path_factory.mktemp("home"))
    home.run(*TRAIN)
    return home


@pytest.fixture
def trial(home):
    [folder] = (home.path / "runs/tiny/trials").iterdir()
    return folder


def write_noise(path, seconds, rate, channels):
    return str(write_wav(path, uniform_noise(int(seconds * rate), channels, peak=0.3), rate))


def test_train_prints_metrics_and_trains_a_finished_trial_only_once(home, trial):
    before = (trial / "record.json").stat().st_mtime_ns
    ended = home.run(*TRAIN)
    assert "test/accuracy" in ended.out
    assert str(trial) in ended.out.replace("\n", "") or "runs/tiny/trials" in ended.out
    assert (trial / "record.json").stat().st_mtime_ns == before


def test_predict_takes_any_rate_length_and_number_of_channels(home, trial, tmp_path):
    files = [
        write_noise(tmp_path / "short.wav", 0.2, 8000, 1),
        write_noise(tmp_path / "long stereo.wav", 3.1, 44100, 2),
    ]
    found = home.run("predict", str(trial), *files, "--json").json()
    assert [each["file"] for each in found] == files
    for each in found:
        assert sum(each["probabilities"].values()) == pytest.approx(1)
        assert each["probability"] == max(each["probabilities"].values())


def test_predict_reports_a_bad_file_and_goes_on_with_the_others(here, trial, tmp_path):
    (tmp_path / "noise.wav").write_text("this is no audio")
    good = write_noise(tmp_path / "good.wav", 0.5, 8000, 1)
    bad = [str(tmp_path / "noise.wav"), str(tmp_path / "absent.wav")]
    ended = here.run("predict", str(trial), *bad, good, code=2)
    assert "good.wav" in ended.out
    assert "noise.wav" in ended.err
    assert "absent.wav" in ended.err


def test_predict_without_a_checkpoint_says_what_one_is(here):
    assert "A trial is named STUDY:best" in here.run("predict", "nothing", "x.wav", code=2).err


def test_doctor_tells_devices_threads_memory_disk_tracking_and_codecs(home):
    facts = home.run("doctor", "--json").json()["facts"]
    assert {"devices", "threads", "memory", "disk", "wandb", "codecs"} <= facts.keys()


def test_doctor_finds_a_folder_that_cannot_be_written(here):
    (here.path / "file").write_text("")
    found = here.run("doctor", "--json", "--runs", "file/runs", code=1).json()
    assert any("cannot be written" in fault for fault in found["faults"])
