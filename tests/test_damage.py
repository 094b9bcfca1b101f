"""One damaged file is one damaged trial: every command goes on, names it, and says what to do.

The matrix: each file that a study keeps × each kind of damage × each command.
"""

import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import Result
from helpers.display import without_figures
from helpers.recipes import TINY_RECIPE_YAML
from typer.testing import CliRunner

from audiocls.cli import app
from audiocls.store import StudyFolder, TrialFolder
from audiocls.store.content import WRITTEN
from audiocls.store.stored_file import with_checksum

ABLATION = """
name: tiny
question: Does dropout help a tiny network?
recipe: tiny
overrides: {train.epochs: 1}
factors: {model.dropout: [0.1]}
blocks: {seed: [0, 1], fold: [1]}
"""
SWEEP = """
name: walk
method: grid
metric: {name: val/accuracy, goal: maximize}
parameters: {model.dropout: {values: [0.1, 0.2]}}
command: [audiocls, train, --recipe, tiny, '${args_no_hyphens}']
"""
QUIET = ("--executor", "inline", "--wandb", "disabled")

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "binary": lambda content: random.Random(1).randbytes(200) + b"\n",
    "zeros": lambda content: bytes(len(content)),
    "zeros at its end": lambda content: content[:-64] + bytes(64),
    "a list": lambda content: b"[]\n",
    "no keys": lambda content: b"{}\n",
    "a word": lambda content: b'"x"\n',
    "flipped byte": lambda content: flipped(content),
    "deep": lambda content: b"[" * 100_000 + b"\n",
}
FEW = ("truncated", "binary", "no keys")
FILES = (
    "trials/DONE/record.json",
    "trials/DONE/history.jsonl",
    "trials/DONE/attempt",
    "trials/DONE/checkpoint.json",
    "trials/DONE/checkpoint.safetensors",
    "trials/DONE/predictions.npz",
    "trials/DONE/config.yaml",
    "trials/FAILED/failure.json",
    "trials/OPEN/resume.pt",
    "trials/OPEN/history.jsonl",
    "trials/OPEN/attempt",
    "study.yaml",
)
QUICK = (("sweep", "status", "--json"), ("report",), ("sweep", "stop"), ("sweep", "retry"))
SLOW = (
    ("sweep", "status"),
    ("report", "--format", "json"),
    ("report", "--format", "html", "--out", "page.html"),
)


def flipped(content: bytes) -> bytes:
    """Change one bit of a byte in the first half, where the keys and the numbers are."""
    position = len(content) // 3
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def run(*words: str) -> Result:
    """Run a command; no traceback may escape, whatever the files hold."""
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{words}: traceback") from result.exception
    return result


def launch(name: str, *words: str) -> Result:
    """Launch, with a page whose figures are not drawn; `SLOW` has one with them."""
    with without_figures():
        return run("sweep", "launch", f"{name}.yaml", *QUIET, *words)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A folder with an ablation of four trials: two done, one failed, one left by a kill."""
    home = tmp_path_factory.mktemp("home")
    (home / "recipes").mkdir()
    (home / "recipes/tiny.yaml").write_text(TINY_RECIPE_YAML)
    (home / "tiny.yaml").write_text(ABLATION)
    (home / "walk.yaml").write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("AUDIOCLS_CACHE", str(cache))
        assert launch("tiny").exit_code == 0
        study = StudyFolder(home / "runs/tiny")
        (failed, opened), done = study.study().cells[2:], study.study().cells[:2]
        folder = study.trial(failed.id).path
        (folder / "record.json").unlink()
        (folder / "failure.json").write_text(
            json.dumps({"cause": "error", "message": "broken", "traceback": "", "attempt": 1})
        )
        trial = study.trial(opened.id)
        (trial.path / "record.json").unlink()
        (trial.path / "resume.pt").write_bytes(with_checksum(b"no snapshot of torch"))
        names = {"DONE": done[0].id, "FAILED": failed.id, "OPEN": opened.id}
        (home / "names.json").write_text(json.dumps(names))
    return home


@pytest.fixture
def home(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def damage(home: Path, file: str, kind: str) -> Path:
    """Damage a file of the study; return it."""
    for name, trial_id in json.loads((home / "names.json").read_text()).items():
        file = file.replace(name, trial_id)
    path = home / "runs/tiny" / file
    path.write_bytes(DAMAGES[kind](path.read_bytes()))
    return path


def is_noticed(file: str, kind: str) -> bool:
    """Whether a reader can see the damage: a bit of a text or a digit is a text or a digit too.

    A counter cut off is that of an early version, a last row cut off is what a kill leaves, and any
    mapping is a configuration: no number depends on them.
    """
    sealed = ("record.json", "resume.pt", "predictions.npz", "checkpoint.safetensors")
    cut = ("attempt", "OPEN/history.jsonl", "config.yaml")
    is_like_another = kind == "truncated" and file.endswith(cut)
    is_like_another |= kind == "no keys" and file.endswith("config.yaml")
    return not is_like_another and (kind != "flipped byte" or file.endswith(sealed))


def assert_all_commands_go_on(
    home: Path, file: str, kind: str, commands: Sequence[Sequence[str]]
) -> None:
    path = damage(home, file, kind)
    said = ""
    for command in commands:
        result = run(*command, "tiny")
        said += result.output
        if file != "study.yaml":
            assert result.exit_code in (0, 4), (command, result.output)
    if commands is QUICK:
        assert not is_noticed(file, kind) or path.name in said, said
    if file == "study.yaml" and is_noticed(file, kind):
        assert "delete that file and launch the study again" in " ".join(said.split())


@pytest.mark.parametrize("kind", FEW)
@pytest.mark.parametrize("file", FILES)
def test_every_command_goes_on_with_the_rest(home: Path, file: str, kind: str) -> None:
    assert_all_commands_go_on(home, file, kind, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_retry_and_launch_mend_every_damage(home: Path, file: str, kind: str) -> None:
    whole = {p.parent.name: metrics(p) for p in (home / "runs/tiny/trials").glob("*/record.json")}
    assert_all_commands_go_on(home, file, kind, SLOW)
    if file == "study.yaml":
        if launch("tiny").exit_code != 2:
            assert not is_noticed(file, kind)
        (home / "runs/tiny/study.yaml").unlink()
    else:
        assert launch("tiny").exit_code in (0, 3)
    launch("tiny")
    assert run("sweep", "retry", "tiny").exit_code == 0
    assert launch("tiny").exit_code == 0
    after = {p.parent.name: metrics(p) for p in (home / "runs/tiny/trials").glob("*/record.json")}
    assert len(after) == 4
    assert {name: after[name] for name in whole} == whole
    assert StudyFolder(home / "runs/tiny").damages(StudyFolder(home / "runs/tiny").cells()) == []
    assert run("report", "tiny").exit_code == 0


@pytest.fixture(scope="module")
def walked(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder, with a search of two trials that are done, moved here with its file."""
    before = tmp_path_factory.mktemp("before") / "home"
    shutil.copytree(trained, before)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(before)
        assert launch("walk").exit_code == 0
    shutil.move(before / "runs/walk", trained / "runs/walk")
    shutil.rmtree(before)
    return trained


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_search_goes_on_whatever_happened_to_its_proposals(
    walked: Path, home: Path, kind: str
) -> None:
    study = StudyFolder(home / "runs/walk")
    whole = {each.id: metrics(each.path / "record.json") for each in trials_of(study)}
    file = study.path / "proposals.jsonl"
    file.write_bytes(DAMAGES[kind](file.read_bytes()))
    for command in (*QUICK, *SLOW):
        assert run(*command, "walk").exit_code in (0, 4), command
    assert launch("walk").exit_code == 0
    assert {each.id: metrics(each.path / "record.json") for each in trials_of(study)} == whole
    assert {proposal.id for proposal in study.proposals()} == whole.keys()


def trials_of(study: StudyFolder) -> list[TrialFolder]:
    return [TrialFolder(path) for path in sorted((study.path / "trials").iterdir())]


def metrics(record: Path) -> object:
    try:
        return json.loads(record.read_bytes())["metrics"]
    except (ValueError, KeyError, TypeError):
        return None


def put_folder(path: Path) -> None:
    """Put a folder where a file belongs, with something in it."""
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "note.txt").write_text("mine")


IN_PLACE = (".lease", "attempt", "resume.pt", "record.json")


@pytest.mark.parametrize(
    "file",
    [
        *IN_PLACE,
        *(
            pytest.param(file, marks=pytest.mark.slow)
            for file in (*WRITTEN, "failure.json")
            if file not in IN_PLACE
        ),
    ],
)
def test_retry_and_launch_mend_a_folder_in_the_place_of_a_trials_file(
    home: Path, file: str
) -> None:
    names = json.loads((home / "names.json").read_text())
    path = home / "runs/tiny/trials" / names["OPEN"] / file
    put_folder(path)
    for command in QUICK:
        assert run(*command, "tiny").exit_code in (0, 4), command
    assert launch("tiny").exit_code == 0
    assert TrialFolder(path.parent).state() == "done"
    assert not path.is_dir()
    assert [each.read_text() for each in path.parent.rglob("note.txt")] == ["mine"]


def test_a_finished_trial_with_a_folder_in_the_place_of_a_file_is_trained_anew(home: Path) -> None:
    names = json.loads((home / "names.json").read_text())
    path = home / "runs/tiny/trials" / names["DONE"] / "predictions.npz"
    put_folder(path)
    assert path.name in run("sweep", "retry", "tiny").output
    assert launch("tiny").exit_code == 0
    assert path.is_file()


def test_a_folder_in_the_place_of_a_studys_file_is_named(walked: Path, home: Path) -> None:
    for study, file in (("tiny", ".plan.lease"), ("walk", "proposals.jsonl")):
        put_folder(home / "runs" / study / file)
        for command in QUICK:
            run(*command, study)
        result = launch(study)
        assert result.exit_code == 2
        assert file in result.output
