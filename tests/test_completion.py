"""What the shell offers, asked by the protocol that the installed completion scripts speak."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer._completion_shared import get_completion_script

from audiocls import library
from audiocls.cli import app, completion

ROOT = Path(__file__).parent.parent

STUDY = """name: mine
arms:
  baseline: {}
  dropout=0.1: {model.dropout: 0.1}
  dropout=0.2,lr=0.1: {model.dropout: 0.2, optim.lr: 0.1}
cells:
- {id: aaaa00000000}
"""


@pytest.fixture
def offered(tmp_path, monkeypatch, capsys):
    """What is offered for a line that ends in what is typed of a word."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "study.yaml").write_text(STUDY)

    def ask(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_AUDIOCLS_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        return answered(capsys)

    return ask


def answered(capsys) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        app(args=[], prog_name="audiocls")
    assert ended.value.code == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("audiocls sweep launch drop", ["dropout"]),
        ("audiocls sweep plan tune_log", ["tune_logmel_cnn", "tune_logmel_resnet"]),
        ("audiocls ablation show label", ["label_smoothing"]),
        ("audiocls noise sam_", []),
        ("audiocls train --recipe kws", ["kws-tiny-cpu", "kws-tiny"]),
        ("audiocls show logmel", ["logmel-cnn", "logmel-resnet-60s"]),
        ("audiocls recipe copy yesno", ["yesno-logmel-cpu", "yesno-logmel"]),
        ("audiocls ablation new q --recipe logmel", ["logmel-cnn", "logmel-resnet-60s"]),
        ("audiocls report m", ["mine"]),
        ("audiocls report mine o", ["other"]),
        ("audiocls sweep status ", ["mine", "other"]),
        ("audiocls sweep launch dropout --set sam.", ["sam.adaptive", "sam.eta", "sam.rho"]),
        ("audiocls train --recipe kws-tiny sam.ad", ["sam.adaptive"]),
        ("audiocls ablation new q --recipe x --factor optim.l", ["optim.lr"]),
        ("audiocls data fetch e", ["esc50"]),
        ("audiocls data check folder --set data.r", ["data.root"]),
        ("audiocls report mine --format j", ["json"]),
        ("audiocls evaluate mi", ["mine:best"]),
        ("audiocls parts list m", ["models", "metrics"]),
        ("audiocls sweep launch dropout --executor s", ["slurm"]),
        ("audiocls sweep launch dropout --wandb off", ["offline"]),
        ("audiocls sweep retry mine --arms d", ["dropout=0.1", "dropout=0.2,lr=0.1"]),
        ("audiocls sweep launch nosuch --arms d", []),
    ],
)
def test_the_shell_offers_what_can_follow(offered, line, words):
    assert offered(line) == words


@pytest.mark.parametrize(
    ("words", "offer"),
    [
        (["train", "--recipe", "kws-tiny", "optim.name", "=", "ad"], ["adamw", "adam"]),
        (["train", "--recipe", "kws-tiny", "sam.adaptive", "="], ["true", "false"]),
        (["train", "--recipe", "kws-tiny", "optim.name", "=", "sgd", "sam.ad"], ["sam.adaptive"]),
        (["sweep", "launch", "dropout", "--set", "model.name", "=", "eat"], ["eat"]),
        (["train", "--recipe", "=", "kws"], ["kws-tiny-cpu", "kws-tiny"]),
        (["evaluate", "mine", ":", "b"], ["best", "baseline"]),
    ],
)
def test_bash_gets_what_follows_the_sign_at_which_it_breaks_words(
    offered, monkeypatch, capsys, words, offer
):
    monkeypatch.setenv("_AUDIOCLS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["audiocls", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    assert answered(capsys) == offer


def test_in_bash_itself(offered, tmp_path):
    """The function that typer installs, called as bash calls it."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    script = get_completion_script(
        prog_name="audiocls", complete_var="_AUDIOCLS_COMPLETE", shell="bash"
    )
    program = tmp_path / "audiocls"
    program.write_text(f"#!{sys.executable}\nfrom audiocls.__main__ import main\nmain()\n")
    program.chmod(0o755)
    typed = "COMP_WORDS=(audiocls train optim.name = ad) COMP_CWORD=4"
    ask = f"{script}\n{typed}; _audiocls_completion {program}; echo ${{COMPREPLY[@]}}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([bash, "-c", ask], capture_output=True, text=True, env=environment)
    assert ran.stdout.split() == ["adamw", "adam"], ran.stderr


def test_studies_are_those_below_the_folder_of_runs(offered, tmp_path):
    (tmp_path / "elsewhere/third").mkdir(parents=True)
    (tmp_path / "elsewhere/third/study.yaml").write_text(STUDY)
    assert offered("audiocls sweep status --runs elsewhere ") == ["third"]


def test_a_projects_own_files_are_offered_too(offered, tmp_path):
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations/zebra.yaml").write_text("name: zebra\narms: {a: {}, b: {}}\n")
    assert offered("audiocls sweep launch zeb") == ["zebra"]
    assert offered("audiocls sweep launch zebra --arms ") == ["a", "b"]


def test_after_a_key_come_the_words_that_it_takes():
    assert completion.assignments("optim.name=ad") == ["optim.name=adamw", "optim.name=adam"]
    assert completion.assignments("sam.adaptive=") == ["sam.adaptive=true", "sam.adaptive=false"]
    assert completion.assignments("augment.mixes=[cut") == ["augment.mixes=[cutmix]"]
    assert completion.assignments("optim.lr=") == []
    assert completion.root_assignments("optim.") == []


def test_every_ablation_and_every_recipe_is_offered(offered):
    assert set(offered("audiocls sweep launch ")) >= set(library.available("ablations"))
    assert set(offered("audiocls recipe show ")) == set(library.available("recipes"))


def test_the_keys_that_are_offered_are_those_of_the_recipes():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import schema
    finally:
        sys.path.pop(0)
    assert schema.KEYS.read_text() == schema.keys_text(), "run `make schema`"


def test_completion_loads_no_more_than_help_does(tmp_path):
    """A shell waits for it at each key press: nothing is parsed, and no numbers are at hand."""
    lines = [
        "audiocls sweep launch dropout --set optim.",
        "audiocls train --recipe k",
        "audiocls report m",
        "audiocls data check s",
    ]
    program = (
        "import os, sys\n"
        "from audiocls.cli import app\n"
        "for line in sys.argv[1:]:\n"
        "    os.environ |= {'_AUDIOCLS_COMPLETE': 'complete_bash', 'COMP_WORDS': line,\n"
        "                   'COMP_CWORD': str(len(line.split(' ')) - 1)}\n"
        "    try:\n"
        "        app(args=[], prog_name='audiocls')\n"
        "    except SystemExit as end:\n"
        "        assert not end.code\n"
        "heavy = {'torch', 'numpy', 'yaml', 'pydantic', 'audiocls.config', 'audiocls.design'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *lines], capture_output=True, text=True, cwd=ROOT
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stdout + ran.stderr
