"""The main job: launch, read, launch again, extend."""

import html.parser
import shutil

import pytest
from helpers.processes import num_trained, tiny_home

pytestmark = pytest.mark.usefixtures("undrawn")

QUIET = ("--wandb", "disabled", "--executor", "inline")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The study's first launch, in processes and by two workers: its home, and what it said."""
    home = tiny_home(tmp_path_factory.mktemp("first"))
    return home, home.launch()


@pytest.fixture
def launched(here, first):
    """A copy of the home of that launch, to go on from."""
    shutil.copytree(first[0].path, here.path, dirs_exist_ok=True)
    return here


def test_a_launch_trains_every_cell_and_ends_with_a_verdict_and_a_report(first):
    home, ended = first
    assert "dropout=0.5" in ended.out
    assert "no evidence" in ended.out
    assert "on this split" in ended.out
    report = home.path / "runs/tiny/report.html"
    assert str(report) in ended.out or "runs/tiny/report.html" in ended.out
    html.parser.HTMLParser().feed(report.read_text())
    assert num_trained(ended.err) == 6 == len(home.finished())
    for trial in home.trials():
        names = {path.name for path in trial.iterdir()}
        wanted = "config.yaml history.jsonl predictions.npz checkpoint.safetensors log.txt"
        assert set(wanted.split()) | {"checkpoint.json", "record.json"} <= names
        assert not {"resume.pt", "failure.json"} & names


def test_a_finished_study_trains_nothing_again(launched):
    before = launched.records()
    ended = launched.launch()
    assert num_trained(ended.err) == 0
    assert launched.records() == before


def test_extending_seeds_and_arms_trains_only_the_new_cells(launched):
    assert num_trained(launched.launch("--seeds", "0..2").err) == 3
    launched.change(factors="{model.dropout: [0.1, 0.5, 0.3]}")
    assert num_trained(launched.launch().err) == 2
    status = launched.run("sweep", "status", "tiny", "--json").json()
    assert status["cells"] == {"done": 11, "failed": 0, "running": 0, "pending": 0}


def test_narrowing_keeps_what_was_launched_in_the_study(launched):
    assert num_trained(launched.launch("--arms", "dropout=0.1", "--seeds", "0").err) == 0
    arms = launched.run("report", "tiny", "--json").json()["arms"]
    assert [arm["arm"] for arm in arms] == ["baseline", "dropout=0.1", "dropout=0.5"]


def test_inline_and_local_leave_the_same_numbers_to_the_bit(launched):
    launched.launch("--runs", "inline")
    local, inline = (
        launched.run("report", "tiny", "--runs", runs, "--json").json()["arms"]
        for runs in ("runs", "inline")
    )
    for one, other in zip(local, inline, strict=True):
        assert one["mean"] == other["mean"]
        assert one["differences"] == other["differences"]


def test_other_settings_under_one_name_replace_the_plan_and_keep_the_records(launched):
    ended = launched.launch("--set", "optim.lr=1e-2")
    assert num_trained(ended.err) == 6
    assert "held another plan" in ended.err
    assert num_trained(launched.launch().err) == 0


def test_a_failing_arm_fails_alone_by_name_and_cause(here):
    here.change(factors="{optim.lr: [1.0e-2, 1.0e+30]}")
    ended = here.launch(code=3)
    assert "lr=1e+30: 2 failed (nan)" in ended.err
    assert "lower optim.lr" in ended.err
    status = here.run("sweep", "status", "tiny", "--json").json()
    assert status["cells"] == {"done": 4, "failed": 2, "running": 0, "pending": 0}
    assert {failure["arm"] for failure in status["failures"]} == {"lr=1e+30"}
    report = here.run("report", "tiny", "--json").json()
    verdicts = {arm["arm"]: arm["verdict"] for arm in report["arms"]}
    assert verdicts["lr=1e+30"] == "not_comparable"
    assert len(report["missing"]) == 2
    assert num_trained(here.launch(code=3).err) == 0
    here.run("sweep", "retry", "tiny")
    assert here.run("sweep", "status", "tiny", "--json").json()["cells"]["pending"] == 2


def test_the_command_that_goes_on_is_the_one_that_was_given(here):
    words = ["--seeds", "0", "--set", "optim.lr=1e30", "--set", "model.channels=[10, 10, 10, 10]"]
    here.launch(*words, "--runs", "elsewhere", code=3)
    said = here.run("sweep", "retry", "tiny", "--runs", "elsewhere").out
    assert "audiocls sweep launch tiny.yaml --set optim.lr=1e30" in said
    assert "'model.channels=[10, 10, 10, 10]' --seeds 0" in said
    assert "--seeds 0 --executor inline --wandb disabled --runs elsewhere" in said


def test_all_arms_failed_is_never_success(here):
    here.launch("--set", "optim.lr=1e30", code=3)


def test_an_arm_whose_model_cannot_hear_its_features_is_refused_before_anything_runs(here):
    here.change(factors="{model.groups: [2, 3]}")
    ended = here.launch(code=2)
    assert "groups: got 3, which does not divide" in ended.err
    assert not (here.path / "runs").exists()


def test_a_registered_sweep_file_launches_what_it_registers(here):
    (here.path / "ablations").mkdir()
    (here.path / "tiny.yaml").rename(here.path / "ablations/tiny.yaml")
    here.run("ablation", "register", "tiny")
    ended = here.run("sweep", "launch", "sweeps/tiny.yaml", *QUIET)
    assert num_trained(ended.err) == 6


def test_a_cell_trained_on_its_own_is_the_studys_cell(here):
    (here.path / "ablations").mkdir()
    (here.path / "tiny.yaml").rename(here.path / "ablations/tiny.yaml")
    here.run("train", "--ablation", "tiny", "arm=dropout=0.5", "seed=0", "fold=1", *QUIET)
    ended = here.run("sweep", "launch", "tiny", *QUIET)
    assert num_trained(ended.err) == 5


def test_cells_of_one_study_can_be_trained_side_by_side_as_agents_do(home):
    (home.path / "ablations").mkdir()
    (home.path / "tiny.yaml").rename(home.path / "ablations/tiny.yaml")
    cells = [["arm=baseline", f"seed={seed}", "fold=1"] for seed in (0, 1)]
    ran = [home.start("train", "--ablation", "tiny", *c, "--wandb", "disabled") for c in cells]
    for process in ran:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    status = home.run("sweep", "status", "tiny", "--json").json()
    assert status["cells"] == {"done": 2, "failed": 0, "running": 0, "pending": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "optim.lrr=1"], ["optim.lrr", "Did you mean 'lr'"]),
        (["--set", "optim.lr=-1", "--set", "train.epochs=x"], ["optim.lr", "train.epochs"]),
        (["--set", "model.name=logmel_cn"], ["logmel_cn", "logmel_cnn"]),
        (["--set", "model.dropout=0.2"], ["model.dropout", "what the ablation varies"]),
        (["--seeds", "3..1"], ["--seeds", "0..4"]),
        (["--folds", "9"], ["test folds", "9"]),
        (["--arms", "dropout=0.15"], ["dropout=0.15", "Did you mean"]),
        (["--executor", "kubernetes"], ["kubernetes", "local, inline"]),
        (["--devices", "cuda:7"], ["cuda:7", "cpu"]),
        (["--set", "data.name=esc50"], ["root"]),
        (["--set", "data.name=esc50", "--set", "data.root=nowhere"], ["nowhere"]),
    ],
)
def test_a_wrong_launch_says_what_and_what_is_allowed_and_starts_nothing(here, words, said):
    ended = here.launch(*words, code=2)
    for text in said:
        assert text in ended.err
    assert not (here.path / "runs/tiny/trials").exists()


def test_an_unknown_study_or_name_suggests_the_nearest(launched):
    assert "Did you mean 'tiny'" in launched.run("report", "tinny", code=2).err
    assert "Did you mean 'dropout'" in launched.run("sweep", "plan", "dropuot", code=2).err
