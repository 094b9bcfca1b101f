"""What must stay as it was: ids, stored studies, metrics, draws, W&B runs, the command line.

How it is frozen, and when it may be frozen anew: `helpers.frozen`.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers import frozen
from helpers.frozen import QUIET, STUDIES, check, golden
from helpers.frozen_studies import ABLATIONS, SWEEPS, record
from helpers.wandb_runs import read_run

ROOT = Path(__file__).parents[1]
QUESTIONS = sorted(file.stem for file in (ROOT / "ablations").glob("*.yaml"))
SEARCHES = sorted(file.stem for file in (ROOT / "sweeps").glob("tune_*.yaml"))
RECIPES = sorted(file.stem for file in (ROOT / "audiocls/recipes").glob("*.yaml"))
STUDY_FOLDERS = sorted({*ABLATIONS, *SWEEPS, "tuned.tuning", "varied-noise"} - {"varied"})


@pytest.fixture(scope="module", autouse=True)
def _recorded(cache: Path) -> None:
    """The platform, and if asked for the studies, are recorded before all else."""
    if os.environ.get("FREEZE") == "studies":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AUDIOCLS_CACHE", str(cache))
            patch.chdir(ROOT)
            record(frozen.run, STUDIES)
    if frozen.IS_FREEZING:
        check("platform", frozen.platform())


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder in which the frozen studies were launched, for what only reads."""
    folder = tmp_path_factory.mktemp("frozen") / "home"
    shutil.copytree(STUDIES, folder)
    for study in (folder / "studies").iterdir():
        (study / "report.html").touch()  # a page that is there is not drawn again
    return folder


@pytest.fixture
def home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command line is in that folder."""
    monkeypatch.chdir(shared_home)
    monkeypatch.setenv("AUDIOCLS_RUNS", "studies")
    return shared_home


# Ids.


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_trials_of_an_ablation_keep_their_ids(name, tmp_path):
    check(f"ids/{name}", frozen.planned(name, tmp_path))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_proposes_the_same_trials_first(name, tmp_path):
    shown = json.loads(frozen.said("sweep", "plan", name, "--json"))
    check(f"ids/{name}", {"plan": shown, "proposals": frozen.proposed(name, tmp_path)})


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_plan_shows_the_same_facts(name, tmp_path):
    check(f"plans/{name}", frozen.said("sweep", "plan", name, "--json", "--runs", str(tmp_path)))


# Stored studies.


@pytest.mark.parametrize("name", [*STUDY_FOLDERS, "plain --clips", "plain other"])
def test_a_stored_study_is_reported_as_it_was(name, home):
    code, out = frozen.run("report", *name.split(), "--json")
    assert code == (4 if name == "pending" else 0)
    check(f"reports/{name.replace(' ', '_').replace('--', '')}", out)


@pytest.mark.parametrize("name", STUDY_FOLDERS)
def test_a_stored_study_stands_where_it_stood(name, home):
    check(f"status/{name}", frozen.said("sweep", "status", name, "--json"))


def test_noise_that_was_measured_is_read_and_not_measured_again(home):
    check("reports/noise", frozen.said("noise", "varied.yaml", *QUIET, "--json"))
    check("plans/varied", frozen.said("sweep", "plan", "varied.yaml", "--json"))


@pytest.mark.parametrize("name", ["plain", "decided", "tuned", "failed", "search", "program"])
def test_a_launched_study_trains_nothing_again(name, home):
    """So what it stored is found, by ids that are still its own.

    But for a study that grows, whose rule of when it is decided is another one now, and for trials
    of a program, which nobody knows by what code they were run: what is there stays as it was.
    """
    before = _stored(home)
    grow = ["--until-decided", "--max-pairs", "12"] if name == "decided" else []
    code, _ = frozen.run("sweep", "launch", f"{name}.yaml", *grow, *QUIET)
    assert code == (3 if name in ("failed", "program") else 0)
    after = _stored(home)
    assert all(after[file].startswith(content) for file, content in before.items())
    assert (after == before) == (name not in ("decided", "program"))


def _stored(home: Path) -> dict[str, bytes]:
    """All that trials and proposals are kept in."""
    names = ("record.json", "history.jsonl", "proposals.jsonl", "config.yaml")
    return {str(file): file.read_bytes() for name in names for file in home.rglob(name)}


# Metrics.

SMALL = {"name": "synthetic", "num_sources": 5, "clips_per_source": 1, "difficulty": 0.5}
SHORT = {"sample_rate": 4000, "duration_s": 1.024}
"""What the encoders of EAT and HiFi-GAN need: 4,096 samples."""
EAT = {"data": SHORT, "model": {"size": "XS", "factors": [4, 4]}, "augment.mix_from_epoch": 1}
CODEC = {
    "data": {"sample_rate": 24000, "duration_s": 0.25},
    "features.weights": "untrained",
}
SHRUNK: dict[str, dict[str, Any]] = {
    "audax-convnext-tiny": {"model": {"depths": [1, 1, 1, 1], "widths": [8, 16, 24, 32]}},
    "audax-efficientnet-b0": {"model": {"width": 0.25, "depth": 0.35}},
    "audax-resnet18": {"model.width": 4},
    "audax-cola-efficientnet-b0": {
        "model": {"width": 0.25, "depth": 0.35},
        "ssl": {"epochs": 2, "batch_size": 10, "crop_s": 0.5, "embedding": 8},
    },
    "audax-simclr-resnet18": {
        "model.width": 4,
        "ssl": {"epochs": 2, "batch_size": 10, "crop_s": 0.5, "embedding": 8},
    },
    "convnext1d-encodec": {**CODEC, "model.stem_width": 8},
    "convnext1d-lm": {**CODEC, "model": {"width": 8, "blocks": 2}},
    "convnext1d-raw": {"model": {"stem_width": 8, "stem_stride": 8, "strides": [4, 4, 2]}},
    "eat-m-audioset": EAT,
    "eat-s-esc50": EAT,
    "eat-s-speechcommands": EAT,
    "eat-s-urbansound8k": EAT,
    "hifigan-raw": {"data": SHORT, "model.width": 8},
    "convnext1d-logmel": {},
    "kws-tiny": {},
    "logmel-cnn": {},
    "logmel-resnet-60s": {},
    "yesno-logmel": {},
}


def _recipe(name: str) -> Any:
    """An untrained codec takes seconds to make."""
    needs_codec = "features.weights" in SHRUNK[name.removesuffix("-cpu")]
    return pytest.param(name, marks=[pytest.mark.slow] if needs_codec else [])


@pytest.mark.parametrize("name", [_recipe(name) for name in RECIPES])
def test_a_recipe_reaches_the_same_numbers(name, tmp_path):
    if "encodec" in name or "-lm" in name:
        pytest.importorskip("encodec")
    changes = {"data": SMALL, "train": {"epochs": 2, "batch_size": 15, "precision": "fp32"}}
    shrunk = SHRUNK[name.removesuffix("-cpu")]
    words = [*frozen.assignments(changes), *frozen.assignments(shrunk)]
    check(f"recipes/{name}", frozen.result_of(frozen.trained(name, tmp_path, *words)))


# Draws.


def test_seeds_and_draws_are_the_same():
    check("draws", frozen.draws())


@pytest.mark.parametrize("name", ["plain", "augmented"])
def test_a_trial_begins_with_the_same_weights_and_batches(name, tiny_parts):
    changes = {
        "augment": {
            "gain_db": 6.0,
            "shift_s": 0.1,
            "freq_mask": 4,
            "time_mask": 4,
            "transforms": ["amp", "neg", "tmask"],
            "noises": ["pink", "sine"],
            "resample_p": 0.5,
            "mixes": ["mixup"],
        },
        "train.balanced": True,
    }
    parts = tiny_parts(changes if name == "augmented" else {})
    check(f"first_step_{name}", frozen.first_step(parts))


# W&B.


def test_a_wandb_run_keeps_its_id_and_its_keys(home):
    trial = frozen.trained("tiny", home / "new", wandb="offline")
    check("wandb", {"trial": trial.name, **frozen.logged(read_run(home / "new"))})


# The command line.


def test_every_command_option_and_argument_is_still_there():
    """More may have come: an alias, or a command."""
    found = frozen.spellings()
    if frozen.IS_FREEZING:
        check("spellings", found)
    for command, wanted in golden("spellings").items():
        assert command in found
        assert wanted["options"].items() <= found[command]["options"].items(), command
        assert wanted["arguments"] == found[command]["arguments"], command


EXITS = [
    "report plain",
    "report nothing",
    "report failed",
    "report plain --format nonsense",
    "report plain other",
    "report plain decided",
    "report pending",
    "report plain search",
    "report search --format tex",
    "report search --clips",
    "report untrained",
    "sweep status untrained",
    "sweep status nothing",
    "sweep status failed",
    "sweep retry plain",
    "sweep retry failed",
    "sweep stop plain",
    "sweep list --json",
    "sweep show dropout",
    "sweep show nothing",
    "sweep plan plain.yaml --json",
    "sweep plan nothing",
    "sweep plan plain.yaml --set optim.lrr=1",
    "sweep plan plain.yaml --set optim.lr=1",
    "sweep plan plain.yaml --arms nothing",
    "sweep plan plain.yaml --seeds x",
    "sweep launch nothing",
    "sweep launch plain.yaml --study a/b",
    "sweep launch plain.yaml --count 2",
    "sweep launch search.yaml --seeds 0",
    "sweep launch plain.yaml --wandb sometimes",
    "sweep launch plain.yaml --executor nobody",
    "sweep launch plain.yaml --max-pairs 9",
    "ablation list --json",
    "ablation show nothing",
    "ablation plan tuned.yaml",
    "noise plain.yaml --seeds 0 --folds 1",
    "train optim.lr=1",
    "train --recipe nothing",
    "train --recipe tiny optim.lrr=1",
    "train --recipe tiny --ablation plain",
    "show tiny --json",
    "show nothing",
    "data list --json",
    "data fetch nothing",
    "predict nothing file.wav",
    "evaluate nothing",
    "export nothing",
    "nonsense",
    "sweep nonsense",
    "report plain --nonsense",
    "--help",
]


def test_commands_end_with_the_same_codes(tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(STUDIES, home)
    shutil.copytree(
        home / "studies/plain", home / "studies/untrained", ignore=lambda *_: ["trials"]
    )
    monkeypatch.chdir(home)
    monkeypatch.setenv("AUDIOCLS_RUNS", "studies")
    check("exits", {words: frozen.run(*words.split())[0] for words in EXITS})
