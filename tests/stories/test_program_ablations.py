"""Ablations over anybody's program: no account, no server, no W&B, nothing of audiocls inside."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from audiocls.store import StudyFolder

pytestmark = pytest.mark.usefixtures("undrawn")

ROOT = Path(__file__).parents[2]
QUIET = ("--wandb", "disabled")

ABLATION = """
name: mine
question: Do my two tricks help, alone and together?
program: train.py
factors: {mixup: [0.0, 0.4], pretrained: [false, true]}
design: factorial
blocks: {seed: [0, 1, 2, 3, 4, 5, 6]}
metric: {name: val_acc, goal: maximize}
stats: {margin: 0.01}
budget: {match: none}
"""

TRAIN = """
import argparse, json, os, random
parser = argparse.ArgumentParser()
parser.add_argument("--mixup", type=float)
parser.add_argument("--pretrained")
parser.add_argument("--seed", type=int)
given = parser.parse_args()
assert os.environ["AUDIOCLS_SEED"] == str(given.seed)
luck, own = random.Random(given.seed), random.Random(str(vars(given)))
if given.mixup > 1:
    raise ValueError("mixup is a share")
gain = 0.03 * (given.pretrained == "True")
print("some words of its own")
print("AUDIOCLS", json.dumps({"val_acc": 0.7 + luck.gauss(0, 0.02) + gain + own.gauss(0, 0.003)}))
"""


@pytest.fixture
def shop(here):
    """A folder with somebody's script and a question about it."""
    (here.path / "mine.yaml").write_text(ABLATION)
    (here.path / "train.py").write_text(TRAIN)
    return here


def ask(shop, **replaced: str) -> None:
    """Replace parts of the question."""
    text = ABLATION
    for old, new in replaced.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{old}:"))
        text = text.replace(line, f"{old}: {new}")
    (shop.path / "mine.yaml").write_text(text)


def test_a_factorial_over_a_program_gets_its_verdicts_and_effects(shop):
    """28 trials: pretraining gives 3 points, mixup nothing, and they do not interact."""
    launched = shop.run("sweep", "launch", "mine.yaml", *QUIET)
    assert "28 trained, 0 reused, 0 failed" in launched.err
    found = shop.run("report", "mine", "--json").json()
    verdicts = {arm["arm"]: arm["verdict"] for arm in found["arms"]}
    assert verdicts == {
        "mixup=0.0,pretrained=off": "baseline",
        "mixup=0.0,pretrained=on": "better",
        "mixup=0.4,pretrained=off": "equivalent",
        "mixup=0.4,pretrained=on": "better",
    }
    effects = {each["name"]: each["delta"] for each in found["effects"]["estimates"]}
    assert effects["pretrained=on"] == pytest.approx(0.03, abs=0.004)
    assert effects["mixup=0.4"] == pytest.approx(0.0, abs=0.004)
    assert "Compute" not in launched.out
    assert "0 trained, 28 reused" in shop.run("sweep", "launch", "mine.yaml", *QUIET).err


def test_a_program_whose_question_grows_is_run_until_it_is_decided(shop):
    ask(shop, factors="{pretrained: [false, true]}")
    words = ("sweep", "launch", "mine.yaml", *QUIET, "--set", "mixup=0", "--until-decided")
    assert "14 trained" in shop.run(*words).err
    assert shop.run("report", "mine", "--json").json()["arms"][1]["verdict"] == "better"


def test_noise_of_a_program_is_measured_and_its_plan_then_speaks_in_points(shop):
    assert "nothing is known of a program" in shop.run("sweep", "plan", "mine.yaml").out
    shop.run("noise", "mine.yaml", "--seeds", "0..2", *QUIET)
    planned = shop.run("sweep", "plan", "mine.yaml", "--json").json()
    assert planned["promise"]["planned"]["effect"] > 0


CHOOSES = """
import argparse
parser = argparse.ArgumentParser()
for name in ("width", "lr", "seed"):
    parser.add_argument(f"--{name}", type=float)
given = parser.parse_args()
from audiocls import report_result
loss = (given.lr - 0.1 * given.width) ** 2
report_result(
    {"val_loss": loss, "test_acc": 0.9 - loss + 1e-9 * given.width, "f1": 0.1 * given.seed},
    cost={"epochs": given.width, "steps": 7},
)
"""


def test_arms_of_a_program_choose_their_values_by_its_validation_metric(shop):
    """The wide network wants a larger learning rate, and is as good with it but for rounding."""
    (shop.path / "train.py").write_text(CHOOSES)
    tune = "{lr: [0.1, 0.2]}\ntune_trials: 2\ntune_metric: {name: val_loss, goal: minimize}"
    compared = "{name: test_acc, goal: maximize}\nsecondary: [{name: f1, goal: maximize}]"
    factors, blocks = "{width: [1, 2]}", "{seed: [0, 1]}"
    ask(shop, factors=factors, blocks=blocks, metric=compared, budget="{match: steps}")
    (shop.path / "mine.yaml").write_text(f"{(shop.path / 'mine.yaml').read_text()}tune: {tune}\n")
    shop.run("sweep", "launch", "mine.yaml", *QUIET)
    found = shop.run("report", "mine", "--json").json()
    assert [arm["mean"] for arm in found["arms"]] == pytest.approx([0.9, 0.9])
    assert [arm["verdict"] for arm in found["arms"]][1] != "not_comparable"
    chosen = StudyFolder(shop.path / "runs/mine").study().tuning
    assert [choice.values for choice in chosen.choices] == [{"lr": 0.1}, {"lr": 0.2}]
    ask(shop, factors=factors, blocks=blocks, metric=compared, budget="{match: epochs}")
    words = ("sweep", "launch", "mine.yaml", *QUIET, "--set", "lr=0.1", "--study", "longer")
    shop.run(*words)
    arm = shop.run("report", "longer", "--json", code=4).json()["arms"][1]
    assert "epochs" in arm["reason"], "one arm has reported twice as many"


SWEEP = """
name: swept
method: grid
program: train.py
metric: {name: val_acc, goal: maximize}
blocks: {seed: seed}
parameters:
  mixup: {value: 0.0}
  pretrained: {values: [false, true]}
  seed: {values: [0, 1, 2, 3, 4, 5]}
"""


def test_a_sweep_over_seeds_ranks_settings_and_its_trials_give_a_verdict_without_a_server(shop):
    (shop.path / "sweep.yaml").write_text(SWEEP)
    out = shop.run("sweep", "launch", "sweep.yaml", *QUIET).out
    assert "Best of 2 settings: val_acc" in out
    assert "seed=" not in out
    advised = shop.run("report", "swept", "--json").json()["pairs_command"]
    assert advised == "audiocls import swept --arm pretrained --baseline pretrained=false"
    shop.run(*advised.split()[1:])
    found = shop.run("report", "swept-by-pretrained", "--json").json()
    assert [arm["verdict"] for arm in found["arms"]] == ["baseline", "better"]
    records = (shop.path / "runs/swept/trials").glob("*/record.json")
    seeds = {json.loads(record.read_text())["seed"] for record in records}
    assert seeds == {0, 1, 2, 3, 4, 5}


OTHER_CLIPS = """
import argparse, audiocls
parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int)
parser.add_argument("--seed", type=int)
given = parser.parse_args()
clips = [f"{given.width}-{number}" for number in range(4)]
predictions = {"clip": clips, "label": [0, 1, 0, 1], "predicted": [0, 1, 1, 1]}
audiocls.report_result({"val_acc": 0.75 + 0.01 * given.width}, predictions=predictions)
"""


def test_arms_that_were_tested_on_other_clips_are_not_compared(shop):
    (shop.path / "train.py").write_text(OTHER_CLIPS)
    ask(shop, factors="{width: [1, 2]}", blocks="{seed: [0]}")
    shop.run("sweep", "launch", "mine.yaml", *QUIET)
    arm = shop.run("report", "mine", "--json", code=4).json()["arms"][1]
    assert arm["verdict"] == "not_comparable"
    assert "test clips" in arm["reason"]


def test_five_lines_and_a_question_make_a_verdict_without_an_account(home):
    """The script is somebody's own; two workers, processes, and W&B as it is on a fresh machine."""
    script = TRAIN.partition("print(")[0] + "accuracy = 0.7 + luck.gauss(0, 0.02) + gain\n"
    lines = [
        "import audiocls",
        "audiocls.report_result(",
        "    val_acc=accuracy,",
        '    cost={"epochs": 3},',
        ")",
    ]
    (home.path / "train.py").write_text(script + "\n".join(lines))
    (home.path / "mine.yaml").write_text(ABLATION.replace("mixup: [0.0, 0.4], ", ""))
    launched = home.run("sweep", "launch", "mine.yaml", "--set", "mixup=0", "--workers", "2")
    assert "14 trained" in launched.err
    assert "pretrained=on helps" in launched.out
    page = (home.path / "runs/mine/report.html").read_text()
    assert "Do my two tricks help" in page


def test_a_failing_program_is_told_by_its_own_error_and_keeps_the_others(shop):
    ask(shop, factors="{mixup: [0.0, 4.0], pretrained: [false]}", blocks="{seed: [0, 1]}")
    err = shop.run("sweep", "launch", "mine.yaml", *QUIET, code=3).err
    assert "ValueError: mixup is a share" in err
    assert "2 trained, 0 reused, 2 failed" in err


def test_a_parameter_that_the_program_ignores_is_no_equivalence(shop):
    (shop.path / "train.py").write_text(TRAIN.replace("str(vars(given))", "given.seed"))
    ask(shop, factors="{mixup: [0.0, 0.4], pretrained: [false]}")
    shop.run("sweep", "launch", "mine.yaml", *QUIET)
    arm = shop.run("report", "mine", "--json", code=4).json()["arms"][1]
    assert arm["verdict"] == "not_comparable"
    assert "what it changes had no effect" in arm["reason"]


def test_the_example_with_five_lines_reports_predictions_that_are_compared_clip_by_clip(here):
    for file in (ROOT / "examples/plain_python").iterdir():
        if file.is_file():
            shutil.copy(file, here.path)
    chosen = ("--arms", "smoothing=0.0,drop_noise=on", "--seeds", "0", *QUIET)
    here.run("sweep", "launch", "mine.yaml", *chosen)
    found = here.run("report", "mine", "--clips", "--json").json()
    [by_clip] = found["clips"]["arms"]
    assert by_clip["num_clips"] == 1200
    assert found["arms"][1]["num_params"] == 6
    assert found["arms"][1]["num_recordings"] == 1200
    assert not any("test clips" in note for note in found["notes"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "package"),
    [
        ("pytorch", "torch"),
        ("lightning", "lightning"),
        ("hydra", "hydra"),
        ("hf_trainer", "transformers"),
    ],
)
def test_a_script_of_any_framework_reaches_its_comparison(here, folder, package):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    for file in (ROOT / "examples" / folder).glob("*.*"):
        shutil.copy(file, here.path)
    [question] = (ROOT / "examples" / folder).glob("*.yaml")
    here.run("sweep", "launch", question.name, "--seeds", "0..1", *QUIET)
    study = here.run("ablation", "show", question.name, "--json").json()["name"]
    found = here.run("report", study, "--json").json()
    assert [arm["num_pairs"] for arm in found["arms"]] == [2, 2]
    assert found["arms"][1]["verdict"] != "not_comparable"
    assert not any("Compute" in note for note in found["notes"])
