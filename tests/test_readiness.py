"""What `data check` calls usable, no plan, launch or trial refuses, and all refuse in one way."""

import csv
import struct
from pathlib import Path

import numpy as np
import pytest
from helpers.audio import uniform_noise, write_wav
from typer.testing import CliRunner, Result

from audiocls.audio.check import accept, check, require_ready
from audiocls.audio.check.findings import TOLERATED_SHARE
from audiocls.audio.check.obstacles import obstacles
from audiocls.audio.clips import fingerprint
from audiocls.audio.datasets import Folder
from audiocls.cli import app
from audiocls.errors import ConfigError, DataError
from audiocls.render.build.stored import planned, planned_search
from audiocls.store import TrialFolder
from audiocls.studies.ablation import one_trial, resolved
from audiocls.studies.planning import Workplace
from audiocls.studies.request import ablation_request
from audiocls.studies.sweep_request import sweep_request

RATE = 8000
ARMS = """\
name: a
question: Which?
recipe: logmel-cnn
factors: {model.dropout: [0.15]}
blocks: {seed: [0]}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AUDIOCLS_CACHE", str(tmp_path / "cache"))


class Home:
    """A folder of clips, whose labels and folds or splits are given one by one."""

    def __init__(self, root: Path, column: str, rows: list[tuple[str, object]]):
        self.root, self.column, self.rows = root, column, rows
        for i in range(len(rows)):
            write_wav(self.path(i), uniform_noise(RATE, peak=0.3, seed=i), RATE)
        with (root / "manifest.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "label", column))
            writer.writerows((self.path(i).name, *row) for i, row in enumerate(rows))

    def path(self, i: int) -> Path:
        return self.root / f"{i}.wav"

    @property
    def data(self) -> Folder:
        return Folder(root=str(self.root))

    @property
    def given(self) -> list[str]:
        return ["data.name=folder", f"data.root={self.root}", "data.sample_rate=8000"]

    def announce(self, i: int, size: int) -> None:
        """Let a header announce other bytes of samples than there are."""
        content = bytearray(self.path(i).read_bytes())
        content[40:44] = struct.pack("<I", size)
        self.path(i).write_bytes(content)


SIDES = {
    "no validation clips": ("split", [("a", "train"), ("b", "train"), ("a", "test")], "for val"),
    "nothing to test": ("split", [("a", "train"), ("b", "val")], "for test"),
    "two folds": ("fold", [("a", 1), ("b", 1), ("a", 2), ("b", 2)], "for train"),
    "one fold": ("fold", [("a", 1), ("b", 1)], "for train and val"),
    "one class": ("fold", [("a", 1), ("a", 2), ("a", 3)], "all clips are of one class"),
}


@pytest.mark.parametrize(("column", "rows", "why"), SIDES.values(), ids=SIDES)
def test_data_that_cannot_be_split_is_refused_by_check_plan_and_launch_alike(
    column, rows, why, tmp_path
):
    home, cache = Home(tmp_path / "data", column, rows), tmp_path / "cache"
    found = check(home.data, cache, lambda done, total: None)
    assert not found.is_usable
    assert any(why in finding.text for finding in found.findings)
    (tmp_path / "a.yaml").write_text(ARMS)
    request = ablation_request(str(tmp_path / "a.yaml"), None, home.given)
    (tmp_path / "s.yaml").write_text(
        "method: grid\ncommand: [audiocls, train, --recipe, logmel-cnn, '${args_no_hyphens}']\n"
        "parameters: {model.dropout: {values: [0, 0.1]}}\n"
    )
    search = sweep_request(str(tmp_path / "s.yaml"), home.given)
    for refuse in (
        lambda: planned(request, tmp_path / "runs", None, Workplace(1)),
        lambda: resolved(request),
        lambda: one_trial(home.given, recipe="logmel-cnn"),
        lambda: planned_search(search),
    ):
        with pytest.raises(DataError, match=why):
            refuse()


def test_a_class_that_a_fold_does_not_train_on_is_a_fault_of_check_and_stops_no_launch(tmp_path):
    rows = [("ab"[i % 2], i % 3 + 1) for i in range(5)]
    home = Home(tmp_path / "data", "fold", rows)
    table = home.data.table(tmp_path)
    assert obstacles(table) == {}
    found = check(home.data, tmp_path, lambda done, total: None)
    assert [finding.kind for finding in found.findings] == ["untrained class", "absent class"]
    assert not found.is_usable
    one_trial(home.given, recipe="logmel-cnn")


@pytest.mark.parametrize("column", ["split", "fold"])
def test_two_parts_are_enough_where_nothing_is_held_out(tmp_path, column):
    """Lists of training and test clips alone, or two folds."""
    sides = {"split": ("train", "test"), "fold": (1, 2)}[column]
    home = Home(tmp_path / "data", column, [("ab"[i % 2], sides[i // 4]) for i in range(8)])
    given = [*home.given, "data.validation=none", "train.select=last", "train.epochs=1"]
    data = home.data.model_copy(update={"validation": "none"})
    assert check(data, tmp_path, lambda done, total: None).findings == ()
    assert not check(home.data, tmp_path, lambda done, total: None).is_usable
    (tmp_path / "a.yaml").write_text(ARMS)
    request = ablation_request(str(tmp_path / "a.yaml"), None, given)
    assert planned(request, tmp_path / "runs", None, Workplace(1)).document
    words = ["--executor", "inline", "--wandb", "disabled", "--runs", str(tmp_path / "runs")]
    assert run("train", "--recipe", "logmel-cnn", *given, *words).exit_code == 0
    (trial,) = (tmp_path / "runs").glob("*/trials/*")
    assert TrialFolder(trial).record().num_train == 4
    assert run("evaluate", str(trial)).exit_code == 0
    refused = run("evaluate", str(trial), "--split", "val")
    assert refused.exit_code == 2
    assert "got 'val'; this data has train, test." in " ".join(refused.output.split())


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def whole(tmp_path: Path, num_clips: int = 12) -> Home:
    rows = [("ab"[i % 2], i // 2 % 3 + 1) for i in range(num_clips)]
    return Home(tmp_path / "data", "fold", rows)


def ready(home: Home, cache: Path) -> tuple[str, ...]:
    table = home.data.table(cache)
    return require_ready(table, fingerprint(table, cache), "folder", cache, (1, 2, 3))


def test_a_clip_that_does_not_decode_stops_a_launch_by_name_before_anything_runs(tmp_path):
    home = whole(tmp_path)
    home.path(3).write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"3\.wav: got 8 bytes that do not decode"):
        one_trial(home.given, recipe="logmel-cnn")


def test_bent_clips_stop_a_launch_beyond_the_tolerance_unless_they_are_accepted(tmp_path):
    home, cache = whole(tmp_path), tmp_path / "cache"
    home.announce(3, 4000)
    with pytest.raises(DataError, match=r"3\.wav \(16000 bytes .* says 4000\)(.|\n)*--accept"):
        ready(home, cache)
    accept(home.data, cache)
    (note,) = ready(home, cache)
    assert "folder, truncated: 1 clip not as long" in note
    home.announce(4, 4000)  # other data, which nobody has looked at
    with pytest.raises(DataError, match="2 clips"):
        ready(home, cache)


def test_fewer_bent_clips_than_the_tolerance_are_a_note_of_the_study(tmp_path):
    home = whole(tmp_path, num_clips=round(1 / TOLERATED_SHARE) + 2)
    home.announce(3, 4000)
    (note,) = one_trial(home.given, recipe="logmel-cnn").study.notes
    assert "3.wav (16000 bytes of samples, where its header says 4000)" in note


def test_check_and_launch_tell_the_same_by_the_same_names(tmp_path):
    home, cache = whole(tmp_path), tmp_path / "cache"
    home.path(3).write_bytes(home.path(1).read_bytes())
    write_wav(home.path(5), np.zeros(RATE), RATE)
    found = check(home.data, cache, lambda done, total: None).findings
    assert {finding.kind for finding in found} == {"leaking duplicates", "silent"}
    assert ready(home, cache) == tuple(f"folder, {each.kind}: {each.text}" for each in found)


def test_a_launch_after_a_check_decodes_nothing(tmp_path, monkeypatch):
    home, cache = whole(tmp_path), tmp_path / "cache"
    check(home.data, cache, lambda done, total: None)
    monkeypatch.setattr("audiocls.audio.check.probe_all", None)
    assert ready(home, cache) == ()


def test_recordings_of_noise_are_examined_before_anything_runs(tmp_path):
    home, noise = whole(tmp_path), tmp_path / "noise"
    write_wav(noise / "ok.wav", uniform_noise(RATE, peak=0.3, seed=99), RATE)
    (noise / "phone.m4a").write_bytes(b"x")
    given = [*home.given, f"augment.background={noise}"]
    (note,) = one_trial(given, recipe="logmel-cnn").notes
    assert "phone.m4a" in note
    (noise / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"augment.background(.|\n)*bad\.wav"):
        one_trial(given, recipe="logmel-cnn")


@pytest.mark.parametrize(
    "parameter",
    [
        "train.epochs: {min: 1.0, max: 8.0}",
        "train.batch_size: {distribution: normal, mu: 16, sigma: 2}",
        "train.epochs: {distribution: log_uniform_values, min: 1, max: 8}",
        "model.dropout: {distribution: log_uniform, min: 0, max: 3}",
    ],
)
def test_a_range_of_fractions_where_a_count_is_meant_is_refused_before_the_first_trial(
    parameter, tmp_path
):
    (tmp_path / "s.yaml").write_text(
        "method: random\ncommand: [audiocls, train, --recipe, logmel-cnn, '${args_no_hyphens}']\n"
        f"parameters: {{{parameter}}}\n"
    )
    with pytest.raises(ConfigError, match=parameter.partition(":")[0]):
        planned_search(sweep_request(str(tmp_path / "s.yaml")))


def test_the_command_accepts_and_says_so(tmp_path):
    home = whole(tmp_path)
    home.announce(3, 4000)
    words = ["data", "check", "folder", "--set", f"data.root={home.root}", "--accept"]
    told = run(*words)
    assert told.exit_code == 2
    assert "3.wav" in told.output
    one_trial(home.given, recipe="logmel-cnn")


def test_a_model_beyond_its_budget_is_refused_by_plan_and_launch_and_not_by_each_trial(tmp_path):
    (tmp_path / "a.yaml").write_text(ARMS + "overrides: {budget.max_params: 10}\n")
    small = ["data.num_sources=5", "data.clips_per_source=1"]
    request = ablation_request(str(tmp_path / "a.yaml"), None, small)
    for refuse in (
        lambda: planned(request, tmp_path / "runs", None, Workplace(1)),
        lambda: resolved(request),
        lambda: one_trial([*small, "budget.max_params=10"], recipe="logmel-cnn"),
    ):
        with pytest.raises(ConfigError, match="max_params"):
            refuse()
