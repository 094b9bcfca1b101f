"""The boundary: what a server or a checkpoint names runs only if the user trusts its module.

Every module here leaves a mark when it is imported, its packages included, and no mark may appear.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.audio import uniform_noise, write_wav
from helpers.recipes import TINY, TINY_ABLATION_YAML, TINY_RECIPE_YAML
from helpers.trials import train, trainable_job
from typer.testing import CliRunner

from audiocls import yaml_file
from audiocls.cli import app
from audiocls.config import resolve
from audiocls.errors import AudioclsError, ConfigError, UsageError
from audiocls.execution.content import require_usable
from audiocls.execution.messages import Done
from audiocls.models import OwnModel
from audiocls.parts.origin import Origin, is_trusted_module, of_checkpoint, of_server, trust
from audiocls.studies.ablation import one_trial
from audiocls.studies.request import ablation_request
from audiocls.tracking.sweep_server import ServerSweep, Start, SweepPath
from audiocls.training.checkpoint import load_checkpoint
from audiocls.wandb_remote.register import own_names
from audiocls.wandb_remote.trials import server_trials

NET = """
from subprocess import check_output
from pathlib import Path

from torch import nn

Path(__file__).with_suffix(".mark").touch()


class Net(nn.Module):
    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.head = nn.Linear(in_channels, num_classes)

    def forward(self, features):
        return self.head(features.mean(2))


alias = check_output
"""
MARKING = 'from pathlib import Path\nPath(__file__).with_suffix(".mark").touch()\n'
NAME = "evil.inner.nets:Net"
PATH = SweepPath("me", "birds", "abc")


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    inner = tmp_path / "evil/inner"
    inner.mkdir(parents=True)
    for file in (tmp_path / "evil/__init__.py", inner / "__init__.py"):
        file.write_text(MARKING)
    (inner / "nets.py").write_text(NET)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/tiny.yaml").write_text(TINY_RECIPE_YAML)
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations/tiny.yaml").write_text(TINY_ABLATION_YAML)
    for name in [name for name in sys.modules if name.partition(".")[0] == "evil"]:
        del sys.modules[name]
    return tmp_path


@pytest.fixture
def unrun(package: Path) -> Any:
    """Nothing of the package was run when the test ends."""
    yield
    assert not list(package.rglob("*.mark"))
    assert not [name for name in sys.modules if name.partition(".")[0] == "evil"]


@pytest.fixture
def checkpoint(package: Path, cache: Path) -> Path:
    """A trial of the user's own recipe, whose checkpoint names the model; its marks are removed."""
    config = resolve([TINY, {"model": {"name": NAME}, "train.epochs": 1}], "r")
    job = trainable_job(config, package / "trial", cache)
    assert isinstance(train(job, cache), Done)
    for mark in package.rglob("*.mark"):
        mark.unlink()
    for name in [name for name in sys.modules if name.partition(".")[0] == "evil"]:
        del sys.modules[name]
    return job.trial.path


def renamed(checkpoint: Path, **changes: Any) -> Path:
    """Return the checkpoint with other parts in its description, as an attacker would write it."""
    file = checkpoint / "checkpoint.json"
    content = json.loads(file.read_text())
    content["config"] |= changes
    file.write_text(json.dumps(content))
    return checkpoint


def refused(sentence: str, *words: str) -> None:
    told = CliRunner().invoke(app, [*words])
    assert told.exit_code == 2, told.output
    assert sentence in told.output


@pytest.mark.usefixtures("unrun")
def test_no_command_runs_what_a_checkpoint_names(checkpoint):
    write_wav(Path("clip.wav"), uniform_noise(4000, peak=0.1, seed=1), 8000)
    sentence = f"{NAME!r} would run code of the module evil.inner.nets, and it is named by"
    for words in (("predict", "clip.wav"), ("evaluate",), ("export", "--out", "x.pt")):
        command, *rest = words
        refused(sentence, command, str(checkpoint), *rest)
        refused("--trust evil, or AUDIOCLS_TRUST=evil", command, str(checkpoint), *rest)


def test_a_trusted_package_runs(checkpoint, monkeypatch):
    monkeypatch.setenv("AUDIOCLS_TRUST", "other,evil.inner")
    assert load_checkpoint(checkpoint).config.model.name == NAME


OTHER_PARTS = {
    "front end": {"features": {"name": NAME, "code": ""}},
    "attribute of another package": {"model": {"name": "evil.inner.nets:check_output"}},
    "the standard library": {"model": {"name": "os:system"}},
    "builtins": {"model": {"name": "builtins:eval"}},
    "dotted attribute": {"model": {"name": "evil.inner.nets:Net.__init__"}},
    "a path": {"model": {"name": "../evil/inner/nets:Net"}},
    "hydra's key": {"model": {"_target_": NAME.replace(":", ".")}},
    "our own package": {"model": {"name": "audiocls.cli:app"}},
    "an installed one": {"model": {"name": "torch.hub:load"}},
}


@pytest.mark.usefixtures("unrun")
@pytest.mark.parametrize("parts", OTHER_PARTS.values(), ids=OTHER_PARTS.keys())
def test_nor_any_other_spelling(checkpoint, parts):
    with pytest.raises(AudioclsError):
        load_checkpoint(renamed(checkpoint, **parts))


TRICKS = {
    "what a trusted module has imported": "evil.inner.nets:check_output",
    "what it calls by another name": "evil.inner.nets:alias",
    "the standard library": "subprocess:check_output",
}


@pytest.mark.usefixtures("unrun")
@pytest.mark.parametrize("name", TRICKS.values(), ids=TRICKS.keys())
def test_trust_in_a_package_is_no_trust_in_what_it_imports(checkpoint, name, monkeypatch):
    monkeypatch.setenv("AUDIOCLS_TRUST", "evil,subprocess")
    with pytest.raises(AudioclsError) as caught:
        load_checkpoint(renamed(checkpoint, model={"name": name, "code": ""}))
    assert "does not define" in str(caught.value) or "standard library" in str(caught.value)


@pytest.mark.usefixtures("unrun")
def test_data_of_a_checkpoint_is_listed_by_no_code_of_it(checkpoint):
    shipped = {"name": "logmel_cnn", "channels": [8, 8, 8, 8]}
    own = {"name": NAME, "code": "", "sample_rate": 8000, "duration_s": 0.5}
    config = resolve([TINY, {"train.epochs": 1}], "r")
    from audiocls.training.checkpoint import Checkpoint
    from audiocls.training.evaluation_request import evaluation_request

    stored = resolve([TINY, {"data": own, "model": shipped}], "r", of_checkpoint(checkpoint))
    restored = Checkpoint(stored, ("a",), None, None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="--trust evil"):
        evaluation_request(restored, checkpoint, {})
    with pytest.raises(ConfigError, match="--trust evil"):
        evaluation_request(restored, checkpoint, {"data.root": "there"})
    assert config.data.name == "synthetic"


@pytest.mark.usefixtures("unrun")
def test_a_teacher_or_initial_weights_may_name_what_the_recipe_names_and_nothing_else(checkpoint):
    other = resolve([TINY, {"distil.teacher": str(checkpoint)}], "r")
    from audiocls.training.teacher import teacher_of

    with pytest.raises(ConfigError, match="--trust evil"):
        teacher_of(other, None)  # type: ignore[arg-type]


def test_a_recipe_of_the_same_part_may_start_from_it(checkpoint):
    given = {"init_from": str(checkpoint), "model": {"name": NAME}}
    require_usable(resolve([TINY, given], "r"), [])


def sweep(*command: str, **parameters: Any) -> ServerSweep:
    config = {
        "method": "grid",
        "parameters": {key: {"values": [value]} for key, value in parameters.items()},
        "command": ["audiocls", "train", *command, "${args_no_hyphens}"],
    }
    return ServerSweep(PATH, "", config, "running")


SWEEPS = {
    "a parameter": sweep("--recipe", "tiny", **{"model.name": NAME}),
    "the command": sweep("--recipe", "tiny", f"model.name={NAME}", seed=0),
    "a list": sweep("--recipe", "tiny", **{"augment.transforms": [NAME]}),
    "hydra's key": sweep("--recipe", "tiny", **{"model._target_": NAME.replace(":", ".")}),
    "a file on this machine": sweep("--recipe", "other.yaml", seed=0),
    "a trial's file": sweep("--config", "other.yaml", seed=0),
}


@pytest.mark.usefixtures("unrun")
@pytest.mark.parametrize("ordered", SWEEPS.values(), ids=SWEEPS.keys())
def test_no_agent_runs_what_a_server_names(ordered, tmp_path):
    Path("other.yaml").write_text(yaml_file.dump({**TINY, "model": {"name": NAME}}))
    with pytest.raises(ConfigError, match=r"named by the sweep me/birds/abc.*--trust evil"):
        server_trials(ordered, tmp_path / "runs")
    assert not os.environ["AUDIOCLS_PATH"]  # nor are modules looked for beside its files


@pytest.mark.usefixtures("unrun")
def test_nor_in_a_cell_of_an_ablation(tmp_path):
    cell = {"arm": "baseline", "seed": 0, "fold": 1, "model.name": NAME}
    trials = server_trials(sweep("--ablation", "tiny", **cell), tmp_path / "runs")
    with pytest.raises(ConfigError, match="--trust evil"):
        trials.job(Start("run1", cell))


def test_a_server_may_order_cells_of_what_the_users_own_files_name(tmp_path):
    Path("recipes/tiny.yaml").write_text(yaml_file.dump({**TINY, "model": {"name": NAME}}))
    Path("ablations/tiny.yaml").write_text(
        TINY_ABLATION_YAML.replace("model.dropout: [0.1, 0.5]", "optim.lr: [0.1]")
    )
    cell = {"arm": "baseline", "seed": 0, "fold": 1}
    known = own_names(ablation_request("tiny"))
    assert known == {NAME}
    ordered = sweep("--ablation", "tiny", **cell)
    trials = server_trials(ordered, tmp_path / "runs", known=known)
    assert trials.job(Start("run1", cell)).spec.config["model"]["name"] == NAME
    with pytest.raises(ConfigError, match="--trust evil"):
        server_trials(ordered, tmp_path / "runs").job(Start("run1", cell))


@pytest.mark.usefixtures("unrun")
def test_words_that_wandb_agent_passes_on_are_a_servers(monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    words = ("train", "--recipe", "tiny", f"model.name={NAME}", "--executor", "inline")
    refused("named by the sweep abc", *words)
    refused("--trust: words of `wandb agent` are its server's", *words, "--trust", "evil")
    trial = one_trial([f"model.name={NAME}"], recipe="tiny")
    assert trial.configs[f"model.name={NAME}"].model.name == NAME  # the user's own words are his


@pytest.mark.usefixtures("unrun")
def test_a_module_that_is_imported_already_is_trusted_no_more(monkeypatch):
    monkeypatch.setitem(sys.modules, "other", sys)
    with pytest.raises(ConfigError, match="--trust other"):
        resolve([TINY, {"model.name": "other:exit"}], "r", of_server("a sweep"))


@pytest.mark.usefixtures("unrun")
def test_what_nobody_vouches_for_is_refused():
    """A context that is forgotten closes the door instead of opening it."""
    with pytest.raises(ValueError, match="named by a source that is not known"):
        OwnModel.model_validate({"name": NAME})
    made = OwnModel.model_construct(name=NAME)
    with pytest.raises(ConfigError, match="without a check"):
        made.load()


def test_trust_is_of_whole_words_and_of_no_standard_module(monkeypatch):
    monkeypatch.setenv("AUDIOCLS_TRUST", "evil.inner, my")
    assert is_trusted_module("evil.inner.nets")
    assert is_trusted_module("my.nets")
    assert not is_trusted_module("evil")
    assert not is_trusted_module("evil.innermost")
    assert not is_trusted_module("my_pkg")
    for package in ("os", "a b", "my-pkg", "", "evil:Net"):
        with pytest.raises(UsageError, match="--trust: got"):
            trust([package])
    monkeypatch.setenv("AUDIOCLS_TRUST", "os")
    with pytest.raises(ConfigError, match="standard library"):
        Origin("a server").refusal("os:system")
