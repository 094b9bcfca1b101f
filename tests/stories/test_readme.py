"""The three doors of the README: its own commands and files, on data that the test makes."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from helpers.audio import write_wav

README = (Path(__file__).parents[2] / "README.md").read_text()
SHORT = ("--executor", "inline", "--wandb", "disabled", "--seeds", "0", "--folds", "1")
"""What a test adds to the launches over recipes, which take minutes as they are."""
TRAIN = """
import argparse, random, sys
parser = argparse.ArgumentParser()
for name in ("mixup", "pretrained", "seed"):
    parser.add_argument(f"--{name}")
given = parser.parse_args()
luck = random.Random(str(given))
accuracy = 0.7 + 0.1 * (given.pretrained == "True") + luck.gauss(0, 0.01)
import audiocls
"""


def commands(door: str) -> list[list[str]]:
    """The commands of a door, as words after `audiocls`."""
    lines = [line for block in blocks(door, "bash") for line in block.splitlines()]
    return [shlex.split(line.partition("  #")[0])[1:] for line in lines]


def blocks(door: str, language: str) -> list[str]:
    section = README.partition(f"**{door}")[2]
    section = re.split(r"^\*\*I have|^Results that", section, flags=re.M)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.S | re.M)


@pytest.fixture
def person(here, monkeypatch):
    """Somebody's home folder, in which the commands are run."""
    monkeypatch.setenv("HOME", str(here.path))
    return here


@pytest.mark.slow
def test_a_question_about_a_recipe_ends_in_a_page(person):
    plan, launch, report = commands("I have a question")
    small = ("--set", "data.num_sources=6", "--set", "data.clips_per_source=1")
    person.run("data", "make", "synthetic", "--out", str(person.path / "data/ESC-50"), *small)
    assert "arms" in person.run(*plan).out
    person.run(*launch, *SHORT, "--set", "train.epochs=1")
    person.run(*report)
    assert "<audio" in (person.path / "runs/n_mels/report.html").read_text()


@pytest.mark.slow
def test_a_folder_of_sounds_becomes_a_model_that_labels_others(person):
    check, launch, predict = commands("I have a folder")
    time_s = np.arange(16000) / 16000
    for label, tone_hz in (("wren", 3000), ("owl", 300)):
        for i in range(8):
            file = person.path / "birds" / label / f"site{i}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_wav(file, 0.3 * np.sin(2 * np.pi * (tone_hz + 9 * i) * time_s), 16000)
    assert "16 s of audio" in person.run(*check).out
    person.run(*launch, *SHORT, "--set", "train.epochs=8")
    (person.path / "birds/wren").rename(person.path / "new-recordings")
    labels = person.run(*predict).out.splitlines()
    assert len(labels) == 8
    assert all("wren" in label or "owl" in label for label in labels)


@pytest.mark.slow
def test_a_training_script_gets_its_verdict_with_the_line_of_the_readme(person):
    (line,) = blocks("I have a training script", "python")
    (question,) = blocks("I have a training script", "yaml")
    (person.path / "train.py").write_text(TRAIN + line.replace("0.91", "accuracy"))
    (person.path / "mine.yaml").write_text(question)
    launch, report = commands("I have a training script")
    assert launch[:3] == ["sweep", "launch", "mine.yaml"]
    person.run(*launch, "--wandb", "disabled")
    told = person.run(*report, "--json").json()
    verdicts = {arm["arm"]: arm["verdict"] for arm in told["arms"][1:]}
    assert verdicts["mixup=0.0,pretrained=on"] == "better"
    assert verdicts["mixup=0.4,pretrained=off"] != "better"
