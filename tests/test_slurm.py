"""SLURM: a study as a job array of launches, with SLURM's own programs replaced by small fakes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.processes import invoke, tiny_home, wait_until
from helpers.records import finished_study
from helpers.slurm_programs import Fake

import audiocls
from audiocls.api.display import SilentDisplay
from audiocls.errors import ConfigError, UsageError
from audiocls.execution.scheduler import GRACE_S
from audiocls.execution.slurm import commands
from audiocls.execution.slurm.profile import SlurmProfile, read_profile
from audiocls.execution.slurm.script import ArrayScript
from audiocls.machine.disk import file_system
from audiocls.store import Failure, StudyFolder
from audiocls.store.launches import Launches
from audiocls.store.submissions import Submissions
from audiocls.studies import joining
from audiocls.studies.options import LaunchOptions
from audiocls.studies.slurm import visibility
from audiocls.studies.slurm.placement import placement_of
from audiocls.studies.slurm.tasks import Queue
from audiocls.studies.status import launch_command, stop_launches
from audiocls.studies.watching import StudyWatch

LAUNCH = ("sweep", "launch", "tiny.yaml", "--executor", "slurm", "--wandb", "disabled")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """SLURM on PATH, in a home with one question."""
    folder = tmp_path / "slurm programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    tiny_home(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Fake(folder)


def options_in(script: str) -> dict[str, str]:
    """Return the options in a batch script, as `sbatch` splits its lines."""
    lines = (line for line in script.splitlines() if line.startswith("#SBATCH "))
    words = [shlex.split(line.removeprefix("#SBATCH "))[0] for line in lines]
    return {name: value for name, _, value in (word[2:].partition("=") for word in words)}


def words_in(script: str) -> list[str]:
    """Return the words of the launch that each task is."""
    line = next(line for line in script.splitlines() if line.startswith("words=("))
    return shlex.split(line.removeprefix("words=(").removesuffix(")"))


def test_a_profile_is_read_as_it_is_written_and_changed_by_name(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "partition: gpu\ntime: 4:00:00\nmem: 010\nexclusive: true\nconstraint: [a100, h200]\n"
        "nice: false\nsignal: TERM@300\nsetup:\n  - module load cuda\n  - 'conda activate x'\n"
    )
    profile = read_profile(file, ["time=30:00", "cpus_per_task=4", "mail-type"])
    assert profile.options == {
        "partition": "gpu",
        "time": "30:00",
        "mem": "010",
        "exclusive": "",
        "constraint": "a100,h200",
        "cpus-per-task": "4",
        "mail-type": "",
    }
    assert profile.setup == ("module load cuda", "conda activate x")
    assert (profile.warning_s, profile.python) == (300, sys.executable)


def test_all_faults_of_a_profile_are_told_at_once(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "array: 0-3\noutput: x.log\nPartition: gpu\nmem:\nsignal: USR1@9\ntime: {a: b}\n"
        "setup: 3\ncomment: 'a\n\n  b'\n"
    )
    with pytest.raises(ConfigError) as told:
        read_profile(file, [])
    assert told.value.where == str(file)
    assert [fault.partition(":")[0] for fault in told.value.faults] == [
        *("array", "output", "Partition", "mem", "signal", "time", "comment")
    ]
    with pytest.raises(ConfigError, match=r"--slurm:\n  - nodes: is not yours to set"):
        read_profile(None, ["nodes=2"])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_profile(tmp_path / "missing.yaml", [])


@pytest.mark.parametrize(
    "value", ["gpu:a100:2", "plain", "two words", 'say "so"', "back\\slash", "a#b", "$HOME;x", "é"]
)
def test_options_are_quoted_as_sbatch_reads_them(value, tmp_path):
    script = ArrayScript(tmp_path / "my % runs" / "s", tmp_path, ("x",), 3)
    given = options_in(script.text(SlurmProfile({"comment": value, "exclusive": ""})))
    assert given["comment"] == value
    assert given["exclusive"] == ""
    assert given["array"] == "0-2"
    assert given["output"] == f"{tmp_path}/my %% runs/s/slurm/%A_%a.log"
    assert given["signal"] == "B:TERM@60"


def test_a_dry_run_shows_the_script_and_leaves_nothing(slurm, tmp_path):
    (tmp_path / "c.yaml").write_text("partition: gpu\ntime: 4:00:00\nsetup: module load cuda\n")
    given = ("--set", "train.epochs=5", "--seeds", "0", "--retries", "2", "--profile", "c.yaml")
    told = invoke(*LAUNCH, *given, "--workers", "2", "--slurm", "account=me", "--dry-run")
    assert told.code == 0
    assert options_in(told.out).items() >= {
        "partition": "gpu", "time": "4:00:00", "account": "me", "array": "0-1", "ntasks": "1",
        "requeue": "", "open-mode": "append",
    }.items()  # fmt: skip
    assert words_in(told.out) == [
        *("sweep", "launch", "tiny.yaml", "--set", "train.epochs=5", "--seeds", "0"),
        *("--runs", f"{tmp_path}/runs", "--executor", "local", "--devices", "auto"),
        *("--wandb", "disabled", "--retries", "2"),
    ]
    assert "\nmodule load cuda\n" in told.out
    assert subprocess.run(["bash", "-n"], input=told.out, text=True, check=False).returncode == 0
    assert not (tmp_path / "runs").exists()
    assert not slurm.heard("script")


def test_what_a_task_launches_is_a_command_that_exists(slurm, tmp_path):
    """Every option of a launch but those of the submission itself reaches the tasks."""
    given = (
        "--recipe", "recipes/tiny.yaml", "--seeds", "0..3", "--folds", "1", "--arms",
        "dropout=0.5", "--study", "a b", "--until-decided", "--max-pairs", "9", "--effect", "0.1",
        "--devices", "cpu", "--max-hours", "1.5", "--tensorboard", "--log-model",
        "--per-device", "4",
    )  # fmt: skip
    told = invoke(*LAUNCH, *given, "--workers", "2", "--dry-run")
    words = words_in(told.out)
    for option, value in pairwise(given):
        if option.startswith("--"):
            at = words.index(option)
            assert value.startswith("--") or words[at + 1] == value
    for word in ("slurm", "--workers", "--dry-run"):
        assert word not in words


def test_a_submission_is_kept_followed_and_ends_with_the_study(slurm, tmp_path):
    """The tasks' launches end while it is followed; what they did is the outcome's."""
    slurm.say("queue", "")
    study = audiocls.launch(
        "tiny.yaml", executor="slurm", workers=9, wandb="disabled", progress=False, folds=[1],
        slurm={"partition": "cpu", "time": "1:00:00", "exclusive": True, "setup": ["a=1", "b=2"]},
    )  # fmt: skip
    script = slurm.heard("script")
    assert Submissions(study.path).jobs() == ["77"]
    assert (study.path / "slurm/77.sh").read_text() == script
    given = options_in(script)
    assert given["array"] == "0-5", "more tasks than trials"
    assert (given["partition"], given["time"]) == ("cpu", "1:00:00")
    assert "\na=1\nb=2\n" in script
    assert study.outcome.exit_code == 75
    assert study.outcome.stopped_by == "tasks"
    assert study.outcome.counts["pending"] == 6


def test_a_study_whose_trials_have_all_ended_needs_no_task(slurm):
    invoke(*LAUNCH, "--workers", "2", "--detach")
    assert slurm.heard("script")
    (slurm.folder / "script").unlink()
    folder = StudyFolder(Path("runs/tiny"))
    for cell in folder.cells():
        folder.trial(cell.id).path.mkdir(parents=True)
        folder.trial(cell.id).fail(Failure("error", "no", "", 1))
    again = invoke(*LAUNCH, "--workers", "2")
    assert again.code == 3
    assert "0 trained, 0 reused, 6 failed" in again.err
    assert not slurm.heard("script")


def test_a_launch_that_is_detached_says_where_it_went(slurm, tmp_path):
    slurm.say("queue", "77_0|77|RUNNING|n1|None\n77_1|77|PENDING||Resources\n5_0|5|PENDING||x\n")
    began = time.monotonic()
    told = invoke(*LAUNCH, "--workers", "2", "--detach")
    assert told.code == 0
    assert "SLURM job 77, 2 tasks" in told.err
    assert "audiocls sweep stop tiny" in told.err
    assert time.monotonic() - began < 10
    status = audiocls.status("tiny")
    assert [note for note in status.notes if note.startswith("SLURM job")] == [
        "SLURM job 77: 1 task pending (Resources)",
        "SLURM job 77: 1 task running on n1",
    ]
    shown = invoke("sweep", "status", "tiny", "--json").json()
    assert [task["task"] for task in shown["tasks"]] == ["77_0", "77_1"]
    stopped = invoke("sweep", "stop", "tiny")
    assert "cancelled: 1 pending task" in stopped.err
    assert slurm.heard("cancelled").split() == ["--state=PENDING", "77_1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_stops_the_study_and_a_closed_terminal_only_the_watch(number, slurm, tmp_path):
    slurm.say("queue", "77_0|77|RUNNING|n1|None\n77_1|77|PENDING||Resources\n")

    class Watching(SilentDisplay):
        def watching(self):
            timer = threading.Timer(0.3, os.kill, (os.getpid(), number))
            timer.start()
            return super().watching()

    def launch() -> audiocls.Study:
        return audiocls.launch(
            "tiny.yaml", executor="slurm", workers=2, wandb="disabled", progress=Watching()
        )

    before = Launches(tmp_path / "runs/tiny").stop_token()
    if number == signal.SIGINT:
        with pytest.raises(audiocls.LaunchStopped) as stopped:
            launch()
        assert stopped.value.study.outcome.exit_code == 75
        assert slurm.heard("cancelled").split() == ["--state=PENDING", "77_1"]
        assert Launches(tmp_path / "runs/tiny").stop_token() != before
    else:
        assert launch().outcome.submitted.job == "77"
        assert not slurm.heard("cancelled")
        assert Launches(tmp_path / "runs/tiny").stop_token() == before


def test_a_wish_to_stop_holds_for_tasks_that_were_pending_when_it_was_made(tmp_path, monkeypatch):
    """From a machine without `scancel`, and for a task that goes back into the queue just then."""
    folder = StudyFolder(tmp_path / "s")
    folder.path.mkdir()
    Launches(folder.path).request_stop()
    before = folder.launches.stop_token()

    def is_stopped(wishes: str) -> bool:
        monkeypatch.setenv(joining.STOPS, wishes)
        stop = joining.threading.Event()
        monkeypatch.setattr(joining, "LOOK_EVERY_S", 0.01)
        with joining.joining(folder, stop):
            return stop.wait(0.2)

    assert not is_stopped(before)
    Launches(folder.path).request_stop()
    assert is_stopped(before)
    assert is_stopped("")
    assert not is_stopped(f"{before},{folder.launches.stop_token()}")


def test_a_launch_says_which_task_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "80")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    folder = StudyFolder(tmp_path / "s")
    with joining.joining(folder, joining.threading.Event()):
        [launch] = folder.launches.alive()
    assert launch.job == "SLURM task 77_3"
    assert f"(process {os.getpid()}, SLURM task 77_3)" in launch.who


def test_an_epoch_has_nearly_all_the_time_that_slurm_gives(slurm, monkeypatch):
    asked = ("--workers", "2", "--dry-run", "--slurm", "signal=TERM@300")
    assert "export AUDIOCLS_GRACE_S=290\n" in invoke(*LAUNCH, *asked).out
    assert LaunchOptions(Path()).limits().grace_s == GRACE_S
    monkeypatch.setenv("AUDIOCLS_GRACE_S", "290")
    assert LaunchOptions(Path()).limits().grace_s == 290


REFUSED = {
    "--workers is missing": (),
    "partition: got 'gqu'; this cluster has: cpu, gpu. Did you mean 'gpu'?": (
        *("--workers", "2", "--slurm", "partition=cpu,gqu"),
    ),
    "array: is not yours to set: each task is one launch": (
        *("--workers", "2", "--slurm", "array=1-2"),
    ),
    "cannot be read": ("--workers", "2", "--profile", "nowhere.yaml"),
    "no arm 'nothing'": ("--workers", "2", "--arms", "nothing"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_submitted(why, slurm, tmp_path):
    told = invoke(*LAUNCH, *REFUSED[why])
    assert told.code == 2
    assert why in told.err
    assert not slurm.heard("script")
    assert not (tmp_path / "runs/tiny/study.yaml").exists()


def test_a_machine_without_slurm_and_one_with_an_old_one_are_told_so(slurm, monkeypatch):
    slurm.say("version", "slurm 2.6.5\n")
    with pytest.raises(UsageError, match=r"sbatch says 'slurm 2\.6\.5'; SLURM 17\.11 or newer"):
        commands.version()
    slurm.say("version", "slurm 20.02.7\n")
    assert commands.version() < commands.STEPS_ARE_EXCLUSIVE
    monkeypatch.setenv("PATH", str(slurm.folder))
    (slurm.folder / "sbatch").unlink()
    with pytest.raises(UsageError, match="no sbatch found on PATH"):
        commands.version()
    (slurm.folder / "squeue").unlink()
    assert commands.queued(["1"]) is None
    assert commands.queued([]) == ()


def test_what_sbatch_refuses_is_said_with_the_nearest_option(slurm):
    slurm.say("refusal", "sbatch: unrecognized option '--partion=x'\nTry \"sbatch --help\" …\n")
    with pytest.raises(UsageError, match=r"nothing was submitted: .*--partion.*mean 'partition'"):
        commands.submit("#!/bin/bash\n", {})


@pytest.mark.parametrize("option", ["--profile=c.yaml", "--slurm=time=1", "--detach", "--dry-run"])
def test_options_of_slurm_have_no_effect_elsewhere(option, slurm):
    told = invoke("sweep", "launch", "tiny.yaml", "--executor", "inline", option)
    assert told.code == 2
    assert "no effect here, for it belongs to --executor slurm (got inline)" in told.err


def test_only_launches_of_studies_are_submitted(slurm):
    for words in (("train", "--recipe", "tiny"), ("noise", "tiny.yaml")):
        told = invoke(*words, "--executor", "slurm", "--wandb", "disabled")
        assert "--executor slurm: a job array is submitted by" in told.err


def test_a_plan_says_where_trials_are_trained_and_what_that_costs(tmp_path, monkeypatch):
    tiny_home(tmp_path)
    monkeypatch.chdir(tmp_path)
    asked = {"partition": "gpu", "time": "4:00:00", "gres": "gpu:a100:2"}
    planned = audiocls.plan("tiny.yaml", executor="slurm", workers=3, slurm=asked)
    assert planned.facts["placement"] == {
        "executor": "slurm", "num_tasks": 3, "devices_per_task": 2, "device": "GPU",
        "limit_hours": 4.0, "device_hours": None,
    }  # fmt: skip
    shown = invoke("sweep", "plan", "tiny.yaml", "--executor", "slurm", "--workers", "3",
                   "--slurm", "time=4:00:00", "--slurm", "cpus-per-task=4").out  # fmt: skip
    assert "3 tasks × 4 cores (time limit 4:00:00)" in shown
    assert "48 until every task has reached its time limit once" in shown
    with pytest.raises(UsageError, match="--workers: no effect here"):
        audiocls.plan("tiny.yaml", workers=3)


def test_hours_of_a_plan_are_those_of_the_trials_that_have_run_on_such_devices():
    _, known = finished_study({"a": [0.5, 0.5]}, seeds=(0, 1), folds=(1,))
    seconds = zip(known.values(), (90.0, 30.0), strict=True)
    records = [replace(each, cost=replace(each.cost, wall_s=wall_s)) for each, wall_s in seconds]
    records = [replace(each, provenance=replace(each.provenance, device="cpu")) for each in records]
    place = placement_of(SlurmProfile({"cpus-per-task": "2"}), 5, 600, records)
    assert place.device_h == pytest.approx(10.0)
    assert "about 10, in about 1 h" in place.facts()["use"]
    assert placement_of(SlurmProfile({"gpus": "1"}), 5, 600, records).device_h is None


STAND_IN = """#!/bin/bash
[ "$1" = -c ] && exit 0
printf '%s\\n' "$@" > "$fake/words"
trap 'exit "${after_term:-75}"' TERM
touch "$fake/began"
until [ -e "$fake/end" ]; do sleep 0.02; done
exit "$(cat "$fake/end")"
"""


WORDS = ("sweep", "launch", "a b.yaml", "--set", "x='1 2'")


class Task:
    """A batch script that runs as a task would, with a stand-in for the launch."""

    def __init__(
        self,
        slurm: Fake,
        folder: Path,
        options: Mapping[str, str] = {},
        setup: tuple[str, ...] = (),
        **environment: str,
    ):
        python = slurm.folder / "python"
        python.write_text(STAND_IN)
        python.chmod(0o755)
        study = folder / "runs/s"
        (study / "slurm").mkdir(parents=True, exist_ok=True)
        profile = SlurmProfile(options, setup, str(python))
        script = ArrayScript(study, folder, WORDS, 1).text(profile)
        task = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0", "fake": str(slurm.folder)}
        self.slurm = slurm
        self.process = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **task, **environment},
        )
        assert self.process.stdin is not None
        self.process.stdin.write(script)
        self.process.stdin.close()

    def wait_until_begun(self) -> None:
        wait_until((self.slurm.folder / "began").exists)

    def end(self) -> tuple[int, str]:
        code = self.process.wait(timeout=20)
        self.slurm.say("preempted", "")
        with self.process.stdout as said:
            return code, said.read()


def test_a_task_is_the_launch_and_ends_with_its_exit_code(slurm, tmp_path):
    slurm.say("end", "3")
    task = Task(slurm, tmp_path, SLURM_CPUS_PER_TASK="4", CUDA_VISIBLE_DEVICES="")
    code, said = task.end()
    assert code == 3
    assert re.fullmatch(r"audiocls: task 7_0 on \S+: begins, run 1, \S+\n", said)
    assert slurm.heard("words").splitlines() == [
        *("-m", "audiocls", "sweep", "launch", "a b.yaml", "--set", "x='1 2'", "--workers", "4")
    ]
    assert not slurm.heard("requeued")


def test_a_task_with_gpus_has_a_worker_for_each_of_them(slurm, tmp_path):
    slurm.say("end", "0")
    Task(slurm, tmp_path, SLURM_CPUS_PER_TASK="4", CUDA_VISIBLE_DEVICES="0,1").end()
    assert "--workers" not in slurm.heard("words")


@pytest.mark.parametrize("how", ["time limit", "preemption"])
def test_a_task_that_is_asked_to_stop_goes_back_into_the_queue(how, slurm, tmp_path):
    """The time limit signals the script, preemption its steps."""
    slurm.say("queue", "RUNNING\n" if how == "preemption" else "")  # a controller may be busy
    task = Task(slurm, tmp_path)
    task.wait_until_begun()
    if how == "preemption":
        slurm.say("preempted", "")
    else:
        task.process.send_signal(signal.SIGTERM)
    code, said = task.end()
    assert code == 75
    assert "goes back into the queue" in said
    assert slurm.heard("requeued").split() == ["requeue", "7_0"]


@pytest.mark.parametrize("is_told_the_end", [True, False])
@pytest.mark.parametrize(
    ("where", "has_trained"),
    [
        ("trials/a/resume.pt", True),
        ("trials/a/record.json", True),
        ("pretrained/b/resume.pt", True),
        ("trials/a/parameters.json", False),
        ("trials/a/history.jsonl", False),
    ],
)
def test_a_task_that_trains_nothing_within_its_time_limit_does_not_go_back_for_ever(
    where, has_trained, is_told_the_end, slurm, tmp_path
):
    """What a trial writes when it begins is no epoch; SLURM 22.05 does not tell a task its end."""
    slurm.say("ends", f"{datetime.now() + timedelta(seconds=60):%FT%T}")
    told = {"SLURM_JOB_END_TIME": str(int(time.time()) + 60)} if is_told_the_end else {}
    task = Task(slurm, tmp_path, **told)
    task.wait_until_begun()
    (tmp_path / "runs/s" / where).parent.mkdir(parents=True)
    (tmp_path / "runs/s" / where).touch()
    task.process.send_signal(signal.SIGTERM)
    code, said = task.end()
    assert code == 75
    assert bool(slurm.heard("requeued")) == has_trained
    assert ("no epoch and no trial ended within the time limit" in said) != has_trained


@pytest.mark.parametrize(("state", "code"), [("COMPLETING", "75"), ("RUNNING", "0")])
def test_a_task_that_is_cancelled_or_through_does_not_go_back(state, code, slurm, tmp_path):
    slurm.say("queue", f"{state}\n")
    task = Task(slurm, tmp_path, after_term=code)
    task.wait_until_begun()
    task.process.send_signal(signal.SIGTERM)
    assert task.end()[0] == int(code)
    assert not slurm.heard("requeued")


def test_a_launch_that_was_stopped_by_a_wish_does_not_go_back(slurm, tmp_path):
    slurm.say("queue", "RUNNING\n")
    slurm.say("end", "75")
    assert Task(slurm, tmp_path).end()[0] == 75
    assert not slurm.heard("requeued")


def test_a_task_whose_folder_is_missing_says_so_in_its_log_and_in_the_status(slurm, tmp_path):
    told = invoke(*LAUNCH, "--workers", "2", "--detach")
    assert told.code == 0, told.err
    script = slurm.heard("script").replace(f"folder={tmp_path}", "folder=/not/there")
    task = {**os.environ, "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "1"}
    ran = subprocess.run(["bash"], input=script, capture_output=True, text=True, env=task)
    assert ran.returncode == 2
    log = tmp_path / "runs/tiny/slurm/77_1.log"
    log.write_text(ran.stdout + ran.stderr)
    slurm.say("queue", "")
    [note] = [note for note in audiocls.status("tiny").notes if "task 77_1" in note]
    assert "there is no folder /not/there here; compute nodes have to see it" in note
    assert str(log) in note


def test_where_there_is_no_squeue_a_status_says_so(slurm, monkeypatch):
    invoke(*LAUNCH, "--workers", "2", "--detach")
    (slurm.folder / "squeue").unlink()
    monkeypatch.setenv("PATH", str(slurm.folder))
    assert any("no squeue answers here" in note for note in audiocls.status("tiny").notes)
    stopped = stop_launches(StudyFolder(Path("runs/tiny")))
    assert stopped.is_queue_unknown
    assert "ends as soon as it begins" in " ".join(stopped.queue_notes)


def test_tasks_read_their_own_fields(slurm):
    slurm.say("queue", "slurm_load_jobs error: x\n9_0|9|PENDING||Priority|and more\n")
    [task] = commands.queued(["9"])
    assert (task.task, task.reason, task.is_pending) == ("9_0", "Priority|and more", True)
    assert not replace(task, state="RUNNING").is_pending
    assert json.loads(json.dumps(task.__dict__))["job"] == "9"


def test_tuning_trials_come_first_and_a_stop_reaches_their_tasks(slurm, tmp_path):
    question = tmp_path / "tiny.yaml"
    question.write_text(question.read_text() + "tune: {optim.lr: [0.001, 0.01]}\ntune_trials: 2\n")
    told = invoke(*LAUNCH, "--workers", "3", "--detach")
    assert told.code == 0, told.err
    assert (tmp_path / "runs/tiny.tuning/slurm/77.sh").exists()
    assert "look: audiocls sweep status tiny; stop: audiocls sweep stop tiny\n" in told.err
    assert not (tmp_path / "runs/tiny").exists()
    assert words_in(slurm.heard("script"))[:3] == ["sweep", "launch", "tiny.yaml"]
    slurm.say("queue", "77_0|77|PENDING||Priority\n")
    assert "SLURM job 77: 1 task pending (Priority)" in audiocls.status("tiny").notes
    invoke("sweep", "stop", "tiny")
    assert slurm.heard("cancelled").split() == ["--state=PENDING", "77_0"]


def test_a_sweep_is_submitted_as_it_is_and_its_count_is_its_own(slurm, tmp_path):
    (tmp_path / "train.py").write_text("")
    (tmp_path / "s.yaml").write_text(
        "program: train.py\nmethod: random\nrun_cap: 4\nmetric: {name: a, goal: maximize}\n"
        "parameters: {x: {min: 0.0, max: 1.0}}\n"
    )
    given = ("sweep", "launch", "s.yaml", "--executor", "slurm", "--workers", "9")
    refused = invoke(*given, "--count", "3")
    assert refused.code == 2
    assert "write `run_cap: N` into the sweep" in refused.err
    assert invoke(*given, "--detach", "--wandb", "offline").code == 0
    assert options_in(slurm.heard("script"))["array"] == "0-8"
    assert Submissions(tmp_path / "runs/s").jobs() == ["77"]


def test_an_sbatch_that_knows_no_cluster_is_told_of_in_its_own_words(slurm: Fake) -> None:
    slurm.say("broken", "sbatch: error: DNS SRV lookup failed\nsbatch: fatal: no configuration\n")
    with pytest.raises(UsageError) as raised:
        commands.version()
    assert "sbatch does not work on this machine: DNS SRV lookup failed; no conf" in str(
        raised.value
    )
    assert "login node" in str(raised.value)


def test_sbatch_gets_the_profile_before_what_the_environment_says(slurm):
    """`SBATCH_PARTITION` would replace what stands in a script, but not an option."""
    told = invoke(*LAUNCH, "--workers", "2", "--detach", "--slurm", "partition=gpu")
    assert told.code == 0, told.err
    assert {"--parsable", "--partition=gpu", "--requeue"} <= set(slurm.heard("options").split())


def test_a_greeting_of_a_wrapper_is_no_job_and_a_warning_is_passed_on(slurm):
    slurm.say("greeting", "Welcome to the cluster!\n  ---\n")
    slurm.say("warning", "sbatch: lua: charged to speech\n")
    assert commands.submit("#!/bin/bash\n", {}) == ("77", "lua: charged to speech")
    told = invoke(*LAUNCH, "--workers", "2", "--detach")
    assert "sbatch: lua: charged to speech" in told.err
    (slurm.folder / "sbatch").write_text("#!/bin/bash\necho accepted\n")
    with pytest.raises(audiocls.AudioclsError, match=r"names no job: 'accepted'; `squeue"):
        commands.submit("#!/bin/bash\n", {})


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Batch job submission failed: Invalid job array specification", "fewer --workers"),
        ("Unable to contact slurm controller (connect failure)", "`scontrol ping`"),
    ],
)
def test_what_sbatch_says_comes_with_what_to_do(said, advice, slurm):
    slurm.say("refusal", f"sbatch: error: {said}\n")
    with pytest.raises(UsageError, match=f"{re.escape(said)}: {advice}"):
        commands.submit("#!/bin/bash\n", {})


def test_more_time_than_every_partition_allows_is_refused(slurm):
    """SLURM takes such a job, and never starts it."""
    with pytest.raises(UsageError, match=r"time: got '2-0'; allowed: at most 1-00:00:00 in gpu"):
        commands.require_partitions("gpu", "2-0")
    commands.require_partitions("gpu,cpu", "2-0")
    commands.require_partitions("gpu", "23:00:00")
    commands.require_partitions("gpu", "")


GPUS = "--slurm=gpus-per-task=2"
NO_SUCH_DEVICES = {
    "got 'gpuu'; allowed with --executor slurm: auto, cpu, cuda": ("--devices", "gpuu"),
    "got 'cuda', and a task of this profile has no GPU: add gpus-per-task: 1": (
        *("--devices", "cuda"),
    ),
    "got 'cuda:2'; a task of this profile has 2 GPUs": ("--devices", "cuda:2", GPUS),
    "got 4; a task of this profile has 2 GPUs": ("--devices-per-trial", "4", GPUS),
    "got 4; a task of this profile has 1 core: raise cpus-per-task": ("--devices-per-trial", "4"),
    "--devices-per-trial 2: set one of them": (
        *("--devices-per-trial", "2", "--per-device", "2", GPUS),
    ),
    "--ray-address has no effect here": ("--ray-address", "auto"),
    "device: got cuda, but this launch trains on cpu": ("--set", "device=cuda"),
}


@pytest.mark.parametrize("why", NO_SUCH_DEVICES)
def test_devices_that_no_task_has_are_refused_before_anything_is_submitted(why, slurm):
    told = invoke(*LAUNCH, "--workers", "2", "--detach", *NO_SUCH_DEVICES[why])
    assert told.code == 2
    assert why in told.err
    assert not slurm.heard("script")


@pytest.mark.parametrize(
    "given",
    [
        ("--devices", "cuda:1", GPUS),
        ("--devices-per-trial", "2", GPUS),
        ("--devices-per-trial", "64", "--slurm=cpus-per-task=64"),
        ("--devices", "cuda", "--slurm=exclusive"),
        ("--set", "device=cuda", GPUS),
    ],
)
def test_devices_of_a_task_are_not_those_of_the_login_node(given, slurm):
    told = invoke(*LAUNCH, "--workers", "2", "--detach", *given)
    assert told.code == 0, told.err


def test_a_folder_that_no_other_machine_sees_is_refused_before_anything_is_submitted(
    slurm, tmp_path, monkeypatch
):
    slurm.say("hosts", "n1\nn2\n")
    monkeypatch.setattr(visibility, "file_system", lambda folder: "ext4")
    told = invoke(*LAUNCH, "--workers", "2", "--detach")
    assert told.code == 2
    assert "temporary folder (ext4), which compute nodes (n1, n2) do not see" in told.err
    assert not slurm.heard("script")
    monkeypatch.setattr(visibility, "file_system", lambda folder: "nfs4")
    assert invoke(*LAUNCH, "--workers", "2", "--detach").code == 0


def test_a_disk_that_may_be_exported_is_told_of_and_memory_is_refused(slurm, monkeypatch):
    slurm.say("hosts", "n1\n")
    monkeypatch.setattr(visibility, "file_system", lambda folder: "xfs")
    [note] = visibility.unseen_notes({"--runs": Path("/home/me/runs")})
    assert "--runs: /home/me/runs lies on a disk of this machine (xfs)" in note
    monkeypatch.setattr(visibility, "file_system", lambda folder: "tmpfs")
    with pytest.raises(UsageError, match=r"own memory \(tmpfs\), which compute nodes \(n1\)"):
        list(visibility.unseen_notes({"--runs": Path("/home/me/runs")}))
    (slurm.folder / "hosts").unlink()  # where all nodes are this machine
    assert not list(visibility.unseen_notes({"--runs": Path("/home/me/runs")}))


def test_the_file_system_of_a_folder_is_that_of_the_last_mount_above_it(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a / ext4 rw 0 0\nb {tmp_path} xfs rw 0 0\nc {tmp_path} nfs4 rw 0 0\n")
    assert file_system(tmp_path / "not/there", mounts) == "nfs4"
    assert file_system(Path("/"), mounts) == "ext4"
    assert file_system(tmp_path, tmp_path / "missing") == ""


def test_a_study_that_was_submitted_is_resumed_by_submitting_it(slurm, tmp_path):
    """A login node is no place to train on; a later launch elsewhere is repeated as it was."""
    slurm.say("queue", "77_0|77|PENDING||Resources\n")
    given = ("--workers", "2", "--slurm", "time=1:00", "--detach")
    assert invoke(*LAUNCH, *given).code == 0
    again = "audiocls sweep launch tiny.yaml --executor slurm --workers 2 --slurm time=1:00"
    stopped = invoke("sweep", "stop", "tiny")
    assert f"Resume with: {again} --wandb disabled" in stopped.out
    study = StudyFolder(tmp_path / "runs/tiny")
    assert invoke("sweep", "launch", "tiny.yaml", "--max-hours", "0").code == 124
    assert launch_command(study) == "audiocls sweep launch tiny.yaml --max-hours 0.0"


def test_tasks_are_resumed_as_they_were_submitted(slurm, tmp_path, monkeypatch):
    """Each task is a launch as well, and none of them may tell how the whole is launched."""
    given = ("--workers", "2", "--slurm", "comment=it's mine", "--detach")
    assert invoke(*LAUNCH, *given).code == 0
    before = launch_command(StudyFolder(tmp_path / "runs/tiny"))
    script = slurm.heard("script")
    exported = next(line for line in script.splitlines() if "AUDIOCLS_SUBMITTED_WITH" in line)
    value = shlex.split(exported.partition("=")[2])[0]
    monkeypatch.setenv("AUDIOCLS_SUBMITTED_WITH", value)
    assert invoke(*words_in(script), "--max-hours", "0").code == 124
    after = launch_command(StudyFolder(tmp_path / "runs/tiny"))
    assert after == f"{before} --runs {tmp_path}/runs" or after == before


def test_a_submission_beside_another_is_told_of_and_one_with_other_settings_is_refused(slurm):
    assert invoke(*LAUNCH, "--workers", "2", "--detach").code == 0
    slurm.say("queue", "77_0|77|PENDING||Resources\n")
    told = invoke(*LAUNCH, "--workers", "2", "--detach")
    assert "SLURM job 77 works on tiny already; these tasks are added to its own" in told.err
    refused = invoke(*LAUNCH, "--workers", "2", "--detach", "--set", "train.epochs=9")
    assert refused.code == 2
    assert "will be run by SLURM job 77, which is in the queue with other settings" in refused.err


def test_tasks_that_never_start_say_why(slurm):
    invoke(*LAUNCH, "--workers", "2", "--detach")
    slurm.say("queue", "77_0|77|PENDING||PartitionTimeLimit\n77_1|77|PENDING||Priority\n")
    stuck, waiting = audiocls.status("tiny").notes
    assert "(PartitionTimeLimit): time is more than the partition allows" in stuck
    assert "They do not start by waiting" in stuck
    assert waiting == "SLURM job 77: 1 task pending (Priority)"


def test_a_watch_goes_on_as_long_as_tasks_are_in_the_queue(slurm):
    invoke(*LAUNCH, "--workers", "2", "--detach")
    slurm.say("queue", "77_0|77|PENDING||Priority\n")
    now = [0.0]
    queue = Queue((StudyFolder(Path("runs/tiny")),), clock=lambda: now[0])
    assert not queue.is_empty()
    assert not StudyWatch(StudyFolder(Path("runs/tiny"))).is_over()
    slurm.say("queue", "")
    assert not queue.is_empty(), "the controller was asked again at once"
    now[0] = 60.0
    assert queue.is_empty()
    assert StudyWatch(StudyFolder(Path("runs/tiny"))).is_over()


def test_the_log_of_a_task_is_shown_by_its_name(slurm, tmp_path):
    invoke(*LAUNCH, "--workers", "2", "--detach")
    (tmp_path / "runs/tiny/slurm/77_1.log").write_text("module: command not found\n")
    assert invoke("sweep", "logs", "tiny", "77_1").out == "module: command not found\n"
    assert "logs of SLURM's tasks by theirs: 77_1" in invoke("sweep", "logs", "tiny").err


def test_what_slurm_ended_is_said_with_its_reason(tmp_path):
    submissions = Submissions(tmp_path)
    submissions.keep("7", "#!/bin/bash\n")
    begins = "audiocls: task 7_0 on n1: begins, run 1, now\n"
    for number, said in enumerate(
        [
            "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026 DUE TO NODE FAILURE ***",
            "slurmstepd-n1: error: Detected 1 oom_kill event in StepId=7.batch.",
            "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026 ***",
        ]
    ):
        (tmp_path / f"slurm/7_{number}.log").write_text(begins + said + "\n")
    said = [text for _, text in submissions.last_messages("7")]
    assert said[0] == "task 7_0: JOB 7 ON n1 CANCELLED AT 2026 DUE TO NODE FAILURE"
    assert said[1] == "task 7_1: Detected 1 oom_kill event in StepId=7.batch."
    assert "begins, run 1" in said[2]


def test_a_launch_that_was_killed_is_told_of_in_words(slurm, tmp_path):
    slurm.say("end", "137")
    code, said = Task(slurm, tmp_path).end()
    assert code == 137
    assert "the launch ended with exit code 137: killed, for want of memory or by hand" in said


def test_setup_that_fails_says_so_and_its_settings_of_the_shell_are_its_own(slurm, tmp_path):
    slurm.say("end", "0")
    code, said = Task(slurm, tmp_path, setup=("set -euo pipefail", "true")).end()
    assert (code, "setup" in said) == (0, False)
    code, said = Task(slurm, tmp_path, setup=("set -e", "no-such-module load cuda")).end()
    assert code == 127
    assert "the setup of the profile ended the task (exit code 127)" in said


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, ["--devices", "cuda"]),
        ({"ROCR_VISIBLE_DEVICES": "0"}, ["--devices", "cuda"]),
        ({"ZE_AFFINITY_MASK": "0"}, []),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, ["--workers", "4"]),
        ({}, ["--workers", "4"]),
    ],
)
def test_a_task_that_was_given_gpus_trains_on_them_or_not_at_all(
    environment, words, slurm, tmp_path, monkeypatch
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    slurm.say("end", "0")
    options = {"gpus-per-task": "2"}
    Task(slurm, tmp_path, options=options, SLURM_CPUS_PER_TASK="4", **environment).end()
    assert slurm.heard("words").splitlines()[len(WORDS) + 2 :] == words


def test_a_python_in_the_home_is_found_and_one_of_a_variable_is_refused():
    assert read_profile(None, ["python=~/a/bin/python"]).python == str(Path.home() / "a/bin/python")
    with pytest.raises(ConfigError, match=r"python: got '\$CONDA/bin/python'; wanted: a path"):
        read_profile(None, ["python=$CONDA/bin/python"])
    with pytest.raises(ConfigError, match=r"clusters: is not yours to set: .* SLURM_CLUSTERS"):
        read_profile(None, ["clusters=a"])


def test_a_plan_has_no_more_tasks_than_trials(tmp_path, monkeypatch):
    tiny_home(tmp_path)
    monkeypatch.chdir(tmp_path)
    asked = {"time": "1:00:00", "gpus": "1"}
    planned = audiocls.plan("tiny.yaml", executor="slurm", workers=50, slurm=asked, devices="cpu")
    placement = planned.facts["placement"]
    assert (placement["num_tasks"], placement["device"]) == (6, "core")


def test_a_dry_run_asks_sbatch_whether_it_would_take_the_job(slurm):
    told = invoke(*LAUNCH, "--workers", "2", "--dry-run")
    assert "sbatch --test-only: Job 78 to start now" in told.err
    slurm.say("refusal", "sbatch: error: Invalid account or account/partition combination\n")
    refused = invoke(*LAUNCH, "--workers", "2", "--dry-run")
    assert refused.code == 2
    assert "sbatch refuses the job, and nothing was submitted: Invalid account" in refused.err
