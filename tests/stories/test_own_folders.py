"""A folder of one's own from class folders to a verdict, its root given once, in the recipe."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.audio import write_wav
from helpers.processes import tiny_home

RECIPE = """
data: {{name: folder, root: {root}, sample_rate: 8000, duration_s: 0.1}}
features: {{name: logmel, n_mels: 16, n_fft: 256, hop: 128}}
model: {{name: logmel_cnn, channels: [8, 8, 8, 8]}}
optim: {{name: adamw, lr: 1.0e-2}}
schedule: {{name: constant}}
train: {{epochs: 8, batch_size: 4}}
"""
QUESTION = """
name: own
question: Does learning help to tell high tones from low ones?
recipe: ./own-recipe.yaml
secondary: [{name: test:unseen/accuracy}, {name: test:unseen/loss}]
arms: {still: {optim.lr: 1.0e-9}, learns: {}}
blocks: {seed: [0, 1], fold: [1]}
"""


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """A home in which the question was launched, for the whole story."""
    home = tiny_home(tmp_path_factory.mktemp("own"))
    splits = ("train", "val", "test", "test_unseen")
    time_s = np.arange(800) / 8000
    for split in splits:
        for label, tone_hz in (("high", 2000), ("low", 200)):
            for i in range(6):
                path = home.path / "mine" / split / label / f"{split}{i}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_wav(path, 0.3 * np.sin(2 * np.pi * (tone_hz + 9 * i) * time_s), 8000)
    (home.path / "own-recipe.yaml").write_text(RECIPE.format(root=home.path / "mine"))
    (home.path / "own.yaml").write_text(QUESTION)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home.path)
        home = replace(home, is_in_process=True)
        home.run("sweep", "launch", "own.yaml", "--wandb", "disabled", "--executor", "inline")
    return home


@pytest.fixture
def home(launched, monkeypatch):
    """The same, as the working folder."""
    monkeypatch.chdir(launched.path)
    return launched


def trial_of(home):
    return min((home.path / "runs/own/trials").iterdir())


def test_a_further_test_set_has_metrics_and_predictions_of_its_own(home):
    told = home.run("report", "own", "--json").json()
    names = [each["metric"] for each in told["secondary"]]
    assert names == ["test:unseen/accuracy", "test:unseen/loss"]
    assert all(
        arm["num_pairs"] == 2 for arm in told["secondary"][0]["arms"] if arm["arm"] == "learns"
    )
    with np.load(trial_of(home) / "predictions.npz") as arrays:
        clips = arrays["test:unseen/clips"].tolist()
        right = arrays["test:unseen/logits"].argmax(1) == arrays["test:unseen/labels"]
        assert len(arrays["clips"]) == len(clips) == 12
    assert all(clip.startswith("test_unseen/") for clip in clips)
    scored = home.run("evaluate", str(trial_of(home)), "--split", "test:unseen", "--json").json()
    assert scored["metrics"]["accuracy"] == pytest.approx(right.mean())


def test_the_root_is_remembered_by_evaluate_and_the_page_and_a_given_one_wins(home):
    trial = str(trial_of(home))
    assert "12" in home.run("evaluate", trial).out
    home.run("report", "own", "--format", "html")
    page = (home.path / "runs/own/report.html").read_text()
    assert "No clip can be heard" not in page
    assert "<audio" in page
    ended = home.run("evaluate", trial, "--set", "data.root=nowhere", code=2)
    assert "'nowhere', which is not a folder" in ended.err
    # Not a part of what identifies a trial.
    assert "mine" not in (trial_of(home) / "config.yaml").read_text()


def test_test_clips_that_the_data_does_not_have_are_refused_before_anything_is_trained(home):
    text = QUESTION.replace("test:unseen", "test:unsen").replace("own\n", "other\n", 1)
    (home.path / "other.yaml").write_text(text)
    for command in ("plan", "launch"):
        said = home.run("sweep", command, "other.yaml", code=2).err
        assert "Did you mean 'test:unseen'?" in said
    assert (
        "this data has train, val, test, test:unseen"
        in home.run("evaluate", str(trial_of(home)), "--split", "test:x", code=2).err
    )
