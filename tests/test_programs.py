"""A trial of a program is that of its code: which files these are, and whose study they are in."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.records import search_record

from audiocls import yaml_file
from audiocls.errors import ConfigError, UsageError
from audiocls.execution.external.code import program_code
from audiocls.execution.external.command import HOOK
from audiocls.execution.job import TrackingConfig
from audiocls.search import Sweep, for_wandb, load_sweep
from audiocls.source_files import files_of
from audiocls.store import Proposal, SearchPlan, Study, StudyFolder
from audiocls.studies.command_trials import CommandTrials
from audiocls.studies.launch import check_same_trials
from audiocls.studies.program_notes import program_notes
from audiocls.studies.request import is_sweep
from audiocls.studies.sources.search import SearchSource
from audiocls.studies.sources.unchanged import WhileUnchanged
from audiocls.studies.sweep_request import sweep_request

SWEEP = """
program: train.py
method: grid
metric: {name: acc, goal: maximize}
parameters: {lr: {values: [0.1, 0.2]}}
"""
FILES = {
    "train.py": "import numpy, model\nfrom nets import small\n",
    "model.py": "from lib.deep import layers\n",
    "nets/__init__.py": "",
    "nets/small.py": "from . import parts\n",
    "nets/parts.py": "",
    "nets/large.py": "",
    "src/lib/deep/__init__.py": "",
    "src/lib/deep/layers.py": "",
    "plot.py": "",
    "conf/base.yaml": "",
    "go.sh": "#!/bin/sh\npython -m nets.large && python train.py\n",
    "plugins.py": "import importlib\nimportlib.import_module(input())\n",
    "by_text.py": "import importlib\nfor name in 'ab': print(f'nets.{name}')\n",
    "sweep.yaml": SWEEP,
}
IMPORTED = {"train.py", "model.py", "nets/__init__.py", "nets/small.py", "nets/parts.py"}
IMPORTED |= {"src/lib/deep/__init__.py", "src/lib/deep/layers.py"}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with a program of several modules, where the sweep is launched."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def oddities(project: Path) -> None:
    """What is called as files are and is none."""
    (project / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(project / "pipe.py")


def found(project: Path, *words: str) -> set[str]:
    return {str(file.relative_to(project)) for file in files_of(words, project)}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["/usr/bin/env", "python", "train.py"], IMPORTED),
        (["python", "-m", "nets.large"], {"nets/__init__.py", "nets/large.py"}),
        (["torchrun", "--nproc_per_node=2", "nets/parts.py"], {"nets/parts.py"}),
        (["python", "plot.py", "--config=conf/base.yaml"], {"plot.py", "conf/base.yaml"}),
        (["bash", "go.sh"], {"go.sh", "nets/large.py", *IMPORTED}),
        (["bash", "-c", "cd . && python plot.py --x 1"], {"plot.py"}),
        (["ls", "sweeps"], set()),
        (["python", "plot.py", "-" * 300, "x" * 5000, "x/" * 3000, "\0", "\ud800"], {"plot.py"}),
        (["python", "plot.py", "loop.yaml", "loop.yaml/x", "train.py/x", "pipe.py"], {"plot.py"}),
        (["bash", "-c", f"python plot.py {'x' * 300}.py --x={'x' * 300}"], {"plot.py"}),
        *((["python", "-m", word], set()) for word in ("", ".", "/", "x" * 300, "x." * 3000, "\0")),
    ],
)
def test_a_program_is_the_files_that_its_command_names_and_what_they_import(project, words, names):
    assert found(project, *words) == names


@pytest.mark.parametrize(
    "words",
    [
        ("python", "it's my plot.py", "--config=my conf.yaml"),
        ("bash", "-c", "python \"it's my plot.py\" --x '1 2' 'my conf.yaml' | tee log"),
        ("bash", "-c", "bash -c 'python it\\'\\''s\\ my\\ plot.py --config=my\\ conf.yaml'"),
    ],
)
def test_a_program_may_have_a_name_with_spaces_and_quotes(project, words):
    names = {"it's my plot.py", "my conf.yaml"}
    for name in names:
        (project / name).write_text("")
    assert found(project, *words) == names


def test_a_module_that_is_a_pipe_or_that_may_not_be_read_is_passed_over(project, monkeypatch):
    """Opening a pipe would wait for its other end."""
    (project / "secret.yaml").write_text("")
    readable = os.access
    monkeypatch.setattr(
        os, "access", lambda path, how: "secret" not in str(path) and readable(path, how)
    )
    assert "pipe.py" not in found(project, "python", "plugins.py")
    assert found(project, "python", "plot.py", "secret.yaml") == {"plot.py"}


@pytest.mark.parametrize(
    "pattern", ["x" * 300, "x/" * 3000, "**x", "/etc/*.py", ".", "\0", "loop.yaml/*", "pipe.py"]
)
def test_a_pattern_that_no_file_can_fit_is_refused(project, pattern):
    with pytest.raises(ConfigError, match="which no file below"):
        program_code(replace(sweep(), code=(pattern,)), project)


def test_what_is_imported_by_a_name_made_at_run_time_may_be_any_module_beside(project):
    modules = {name for name in FILES if name.endswith(".py")}
    assert found(project, "python", "plugins.py") == modules
    nets = {name for name in modules if name.startswith("nets/")}
    assert found(project, "python", "by_text.py") == {"by_text.py", *nets}


def sweep(text: str = SWEEP) -> Sweep:
    return load_sweep(yaml_file.parse(text, "sweep.yaml"), "sweep.yaml")


def test_only_what_can_change_a_number_changes_the_code(project):
    before = program_code(sweep(), project)
    (project / "plot.py").write_text("print()")
    (project / "model.py").write_text("# why\nfrom lib.deep import layers\n")
    assert program_code(sweep(), project).digest == before.digest
    assert not before.is_changed()
    (project / "nets/parts.py").write_text("WIDTH = 8\n")
    assert before.is_changed()
    assert program_code(sweep(), project).digest != before.digest


def test_a_sweep_may_say_which_files_decide(project):
    chosen = program_code(sweep(SWEEP + "code: [conf/*.yaml, model.py]"), project)
    assert [file.name for file in chosen.files] == ["base.yaml", "model.py"]
    with pytest.raises(ConfigError, match=r"code: got 'none/\*', which no file"):
        program_code(sweep(SWEEP + "code: none/*"), project)
    assert "code" not in for_wandb({"method": "grid", "code": ["model.py"]})


def trials_in(project: Path, text: str = SWEEP, mode: str = "offline") -> CommandTrials:
    (project / "sweep.yaml").write_text(text)
    folder = StudyFolder(project / "runs" / "sweep")
    return CommandTrials(
        folder, sweep(text), program_code(sweep(text), project), TrackingConfig(mode, "p")
    )


def launched(project: Path, trials: CommandTrials) -> Study:
    study = sweep_request("sweep.yaml").to_study(code=trials.code.digest)
    trials.folder.write_study(study)
    return study


def drained(trials: CommandTrials) -> list[str]:
    source, offered = SearchSource(trials.sweep, trials.folder, trials), []
    while (job := source.next()) is not None:
        offered.append(job.id)
        job.trial.finish(search_record(job.id, 1.0))
    return offered


def test_a_changed_program_runs_all_its_trials_and_an_undone_change_finds_them_again(project):
    before = trials_in(project)
    launched(project, before)
    first = drained(before)
    (project / "model.py").write_text("WIDTH = 8\n")
    now = trials_in(project)
    launched(project, now)
    second = drained(now)
    assert len(first) == len(second) == 2
    assert not set(first) & set(second)
    assert [proposal.id for proposal in now.folder.proposals()] == second
    (project / "model.py").write_text(FILES["model.py"])
    launched(project, again := trials_in(project))
    assert drained(again) == []
    assert [proposal.id for proposal in again.folder.proposals()] == first


def test_nothing_is_started_once_the_program_is_changed(project):
    trials = trials_in(project)
    launched(project, trials)
    inner = SearchSource(trials.sweep, trials.folder, trials)
    source = WhileUnchanged(inner, trials.is_outdated)
    assert source.next() is not None
    (project / "train.py").write_text("print('another')")
    assert source.next() is None
    assert source.is_over()


def test_a_study_of_before_is_read_and_its_trials_count_as_its_own(tmp_path):
    folder = StudyFolder(tmp_path / "old")
    folder.path.mkdir()
    (folder.path / "study.yaml").write_text(
        "name: old\nsweep: {method: grid}\nruns: train.py\nfolder: /x\noverrides: {}\n"
        "command: audiocls sweep launch old.yaml\nkind: search\n"
    )
    (folder.path / "proposals.jsonl").write_text('{"id": "a", "parameters": {"lr": 1}}\n')
    assert folder.study().search == SearchPlan({"method": "grid"}, "train.py", "/x")
    assert folder.proposals() == [Proposal("a", {"lr": 1})]
    assert Proposal("a", {"lr": 1}).to_line() == '{"id": "a", "parameters": {"lr": 1}}\n'


def test_a_study_belongs_to_one_file_wherever_another_of_its_name_lies(project):
    study = launched(project, trials_in(project))
    assert study.search is not None
    runs = project / "my runs"
    elsewhere = project / "other" / "sweep.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(SWEEP)
    now = replace(study, search=replace(study.search, file=str(elsewhere), code="0"))
    with pytest.raises(UsageError, match="which runs another program") as error:
        check_same_trials(study, now, runs)
    wanted = f"audiocls sweep launch sweep.yaml --study sweep-2 --runs '{runs}'"
    assert str(error.value).endswith(wanted)
    check_same_trials(study, study, runs)
    moved = replace(study, search=replace(study.search, file=str(project / "gone.yaml")))
    check_same_trials(moved, study, runs)


def notes_of(project: Path, text: str = SWEEP, mode: str = "offline") -> str:
    trials = trials_in(project, text, mode)
    request = sweep_request("sweep.yaml")
    study = request.to_study(code=trials.code.digest)
    return "\n".join(program_notes(request, trials.folder, study, trials))


def test_what_differs_from_the_last_launch_is_told_and_comments_and_caps_are_not(project):
    trials = trials_in(project)
    launched(project, trials)
    drained(trials)
    (project / "model.py").write_text("WIDTH = 8\n")
    assert "has changed since the last launch" in notes_of(project)
    (project / "model.py").write_text(FILES["model.py"])
    assert notes_of(project, f"# mine\n{SWEEP}run_cap: 9\n") == ""
    grown = notes_of(project, SWEEP.replace("0.2]", "0.2, 0.3]"))
    assert "has changed since the last launch (parameters)" in grown


@pytest.mark.parametrize(
    ("program", "command", "mode", "said"),
    [
        ("import wandb\nwandb.agent('x', print)\n", "", "offline", "wandb.agent (train.py line 2)"),
        ("if wandb.run.sweep_id: pass\n", "", "online", "train.py line 1 asks whether it is in"),
        ("if wandb.run.sweep_id: pass\n", "", "offline", ""),
        ("run = wandb.init()\n", "command: [python, train.py]", "offline", "nothing hands lr on"),
        ("lr = wandb.config.lr\n", "command: [python, train.py]", "offline", ""),
        ("", "command: [no-such-program]", "offline", "no file of the program was found"),
    ],
)
def test_what_a_program_asks_for_in_vain_is_told_before_its_first_trial(
    project, program, command, mode, said
):
    (project / "train.py").write_text(program)
    notes = notes_of(project, f"{SWEEP}{command}\n", mode)
    assert said in notes
    assert said or not notes


@pytest.mark.parametrize(
    ("key", "meant"), [("count: 5", "run_cap"), ("interpreter: python", "command")]
)
def test_a_key_that_wandb_does_not_know_is_told_what_it_calls_it(project, key, meant):
    (project / "sweep.yaml").write_text(f"{SWEEP}{key}\n")
    with pytest.raises(ConfigError, match=f"Write {meant}"):
        sweep_request("sweep.yaml")


def test_a_sweep_one_level_too_deep_is_recognised(project):
    (project / "sweep.yaml").write_text(f"sweep:{SWEEP}".replace("\n", "\n  "))
    with pytest.raises(ConfigError, match="the sweep is nested under 'sweep'"):
        is_sweep("sweep.yaml")


def suffix(environment: dict[str, str], code: str = "") -> str:
    """Return what a Python process started like a program's adds to its run's folder."""
    show = "import os; print(os.environ.get('WANDB__SYNC_DIR_SUFFIX'), os.getpid())"
    ended = subprocess.run(
        [sys.executable, "-c", code or show],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HOOK), **environment},
        capture_output=True,
        text=True,
        check=True,
        process_group=0,
    )
    return ended.stdout.strip()


def test_ranks_and_child_processes_have_run_folders_of_their_own():
    name, pid = suffix({"RANK": "1"}).split()
    assert name == f"rank1-{pid}"
    assert suffix({}).startswith("None ")
    fork = "import os; os.fork() or print(os.environ['WANDB__SYNC_DIR_SUFFIX'], os.getpid())"
    child, pid = suffix({}, fork).split()
    assert child == f"process-{pid}"


def test_a_sitecustomize_of_the_users_own_is_run_all_the_same(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('theirs')")
    path = os.pathsep.join([str(HOOK), str(tmp_path)])
    assert suffix({"PYTHONPATH": path, "RANK": "0"}).splitlines()[0] == "theirs"


def test_packages_that_are_installed_on_the_path_are_no_part_of_a_program(tmp_path):
    (tmp_path / "train.py").write_text("import own, installed\n")
    for folder, module in (("lib", "own"), ("target", "installed")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{module}.py").write_text("")
    (tmp_path / "target/installed-1.0.dist-info").mkdir()
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "lib"), str(tmp_path / "target")])}
    found = files_of(["python", "train.py"], tmp_path, environment)
    assert [file.name for file in found] == ["own.py", "train.py"]
