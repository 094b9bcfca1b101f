"""SLURM, with a real controller and two nodes: what a study survives there."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import slurm_cluster
from helpers.processes import invoke, kill, tiny_home, wait_until, workers_of
from helpers.slurm_cluster import Cluster, cluster_in

import audiocls
from audiocls.execution.slurm import commands
from audiocls.store import StudyFolder, launches, lease
from audiocls.store.launches import LaunchInfo
from audiocls.store.submissions import Submissions
from audiocls.writers import WRITER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(bool(slurm_cluster.missing()), reason=slurm_cluster.missing() or "-"),
]

ENDLESS = {"train.epochs": 100_000}
OPENING_S = 90.0
"""Until a task is at work: it imports torch, on a machine with other things to do."""
PROGRAM = """
import sys
given = dict(word.lstrip("-").split("=") for word in sys.argv[1:])
accuracy = 0.5 + 0.1 * float(given["rate"]) + 0.01 * int(given["seed"])
print('AUDIOCLS {"accuracy": %g}' % accuracy)
"""
PROGRAM_YAML = """
name: rates
question: Does the rate matter to a program?
program: train.py
metric: {name: accuracy, goal: maximize}
factors: {rate: [0.2, 0.3]}
overrides: {rate: 0.1}
stats: {margin: 0.01}
blocks: {seed: [0, 1, 2]}
block_keys: {fold: null}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(autouse=True)
def _submitting_home(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A home with one question, from which tasks are submitted with short leases."""
    tiny_home(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", cluster.places)
    monkeypatch.setattr(lease, "LEASE_S", slurm_cluster.LEASE_S)
    monkeypatch.setattr(lease, "HEARTBEAT_S", slurm_cluster.HEARTBEAT_S)
    monkeypatch.setattr(launches, "LEASE_S", slurm_cluster.LEASE_S)
    (tmp_path / "cluster.yaml").write_text(
        f"partition: work\ntime: 10:00\nmem: 100\npython: {cluster.python}\n"
    )
    yield
    cluster.clear()


def submit(workers: int, **given: object) -> StudyFolder:
    """Submit `tiny`, and return its folder."""
    options = {"profile": "cluster.yaml", "wandb": "disabled", "progress": False, "detach": True}
    launched = audiocls.launch(
        "tiny.yaml", executor="slurm", workers=workers, devices="cpu", **options | given
    )
    return launched.folder


def at_work(folder: StudyFolder, node: str) -> LaunchInfo | None:
    """Return the launch of a task on a node."""
    found = (each for each in folder.launches.alive() if each.name.startswith(f"{node}-"))
    return next(found, None)


def pid_of(launch: LaunchInfo) -> int:
    """Return its process: the nodes have host names of their own, and no process ids."""
    return int(WRITER.fullmatch(launch.name)["pid"])


def epochs(folder: StudyFolder) -> dict[str, list[int]]:
    """Return trial id → the epochs in its history, of the trials that have begun."""
    found = {cell.id: folder.trial(cell.id).history() for cell in folder.cells()}
    return {key: [int(row["epoch"]) for row in rows] for key, rows in found.items() if rows}


def no_epoch_is_lost_or_doubled(folder: StudyFolder) -> bool:
    return all(found == list(range(1, len(found) + 1)) for found in epochs(folder).values())


def holders(folder: StudyFolder) -> dict[str, str]:
    """Return trial id → the node that trains it now."""
    found = {cell.id: folder.trial(cell.id).holder() for cell in folder.cells()}
    return {key: holder.host for key, holder in found.items() if holder is not None}


def elapsed(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def metrics(folder: StudyFolder) -> dict[str, dict[str, float]]:
    return {key: record.metrics for key, record in folder.records(folder.cells()).items()}


def test_preempted_tasks_go_on_and_the_study_is_that_of_one_machine_to_the_bit(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of a partition with priority takes the first node; the cell on it loses no epoch."""
    sent: list[float] = []
    plain = commands.submit
    monkeypatch.setattr(
        commands, "submit", lambda *given: (sent.append(time.monotonic()), plain(*given))[1]
    )
    asked = {"set": {"train.epochs": 200}, "arms": "dropout=0.1", "seeds": "0"}
    folder = submit(2, slurm={"exclusive": True}, **asked)
    assert time.monotonic() - sent[0] <= 1.0, "submitting took longer than a second"
    wait_until(lambda: set(holders(folder).values()) == {"n1", "n2"}, OPENING_S)
    said = "\n".join(audiocls.status("tiny").notes)
    for node, task in (("n1", "_0"), ("n2", "_1")):
        assert f"at work since {at_work(folder, node).started}: {node} (process" in said
        assert f"{task})" in said
    wait_until(lambda: len(epochs(folder)) >= 2, OPENING_S)
    cluster.submit("sleep 2", "--partition=urgent", "--cpus-per-task=2", "--nodelist=n1")
    logs = folder.path / "slurm"
    wait_until(lambda: "goes back into the queue" in _text(logs), 40)
    wait_until(lambda: not cluster.queue(), 120)
    assert set(folder.states(folder.cells()).values()) == {"done"}
    assert no_epoch_is_lost_or_doubled(folder)
    assert {len(found) for found in epochs(folder).values()} == {200}
    assert all(folder.trial(each.id).attempts.last().losses == 0 for each in folder.cells())
    local = audiocls.launch(
        "tiny.yaml", executor="inline", study="local", wandb="disabled", progress=False, **asked
    )
    assert metrics(local.folder) == metrics(folder)


def _queued(folder: StudyFolder) -> tuple[commands.QueuedTask, ...]:
    return commands.queued(Submissions(folder.path).jobs())


def _text(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.glob("*.log"))


def test_a_killed_launch_is_replaced_by_the_other_node_and_a_stop_reaches_all(
    cluster: Cluster,
) -> None:
    folder = submit(2, set=ENDLESS, seeds="0", slurm={"cpus-per-task": "2"})
    wait_until(lambda: len(holders(folder)) == 3 and len(epochs(folder)) == 3, OPENING_S)
    busy = max(("n1", "n2"), key=list(holders(folder).values()).count)
    other = {"n1": "n2", "n2": "n1"}[busy]
    wait_until(lambda: at_work(folder, other) is not None, OPENING_S)
    lost = [key for key, node in holders(folder).items() if node == busy]
    assert len(lost) == 2, "a task of two cores trains two trials"
    kill(pid_of(at_work(folder, busy)))
    taken_s = elapsed(lambda: wait_until(lambda: other in (holders(folder).get(k) for k in lost)))
    assert taken_s <= slurm_cluster.LEASE_S + 2.0
    print(f"taken over after {taken_s:.1f} s of a lease of {slurm_cluster.LEASE_S:.0f} s")
    before = epochs(folder)
    kill(workers_of(pid_of(at_work(folder, other)))[0])
    wait_until(
        lambda: (
            sum(len(found) > len(before.get(k, ())) + 5 for k, found in epochs(folder).items()) == 2
        ),
        60,
    )
    assert "stopped: " in invoke("sweep", "stop", "tiny").out
    wait_until(lambda: not cluster.queue(), 20)
    assert no_epoch_is_lost_or_doubled(folder)


def test_a_task_at_its_time_limit_goes_back_and_resumes_and_a_stop_cancels_what_is_pending(
    cluster: Cluster,
) -> None:
    """The limit is a minute, the signal comes 30 s before it, or at SLURM's next look."""
    limited = {"time": "1", "signal": "TERM@30", "cpus-per-task": 2}
    folder = submit(4, set=ENDLESS, slurm=limited)
    wait_until(lambda: "PENDING" in cluster.queue(), 10)
    logs = folder.path / "slurm"
    wait_until(lambda: "goes back into the queue" in _text(logs), 100)
    before = {key: len(found) for key, found in epochs(folder).items()}

    def are_resumed() -> bool:
        """Whether trials of both nodes go on: each trains two."""
        found = epochs(folder)
        return sum(len(found[key]) > before.get(key, 1) + 5 for key in found) > 2

    wait_until(are_resumed, OPENING_S)
    assert no_epoch_is_lost_or_doubled(folder)
    running = next(task for task in _queued(folder) if task.state == "RUNNING")
    subprocess.run(["scancel", running.task], check=True)
    log = logs / f"{running.task}.log"
    wait_until(lambda: running.task not in {each.task for each in _queued(folder)}, 20)
    assert "stopped: " in log.read_text()
    wait_until(lambda: "PENDING" in cluster.queue(), 20)  # one that goes back completes before
    stopped = invoke("sweep", "stop", "tiny")
    assert "pending task" in stopped.err
    wait_until(lambda: not cluster.queue(), 20)
    assert all(folder.trial(key).attempts.last().losses == 0 for key in before)


def test_a_time_limit_that_no_trial_fits_into_ends_the_study_and_not_only_each_task(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its tasks would go back for ever. `setup` and the folder are what bash likes least."""
    home = tmp_path / 'höme\'s "own" $HOME'
    home.mkdir()
    monkeypatch.chdir(home)
    (home / "slow.py").write_text("import time\ntime.sleep(300)\n")
    (home / "slow.yaml").write_text(PROGRAM_YAML.replace("train.py", "slow.py"))
    monkeypatch.setenv("SBATCH_PARTITION", "urgent")
    (home / "c.yaml").write_text(
        f"partition: work\ntime: 1\nsignal: TERM@50\npython: {cluster.python}\n"
        "setup: [set -euo pipefail, 'export SAID=\"it''s fine\"']\n"
    )
    given = ("--executor", "slurm", "--workers", "1", "--profile", "c.yaml", "--wandb", "disabled")
    ended = invoke("sweep", "launch", "slow.yaml", *given, "--devices", "cpu")
    assert ended.code == 75
    assert "no epoch and no trial ended within the time limit" in ended.err
    assert "all tasks have ended: 9 cells to go" in ended.err
    assert "--profile c.yaml" in ended.err
    assert not cluster.queue()


def test_programs_and_searches_are_followed_to_their_answer(cluster: Cluster, tmp_path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "rates.yaml").write_text(PROGRAM_YAML)
    given = ("--executor", "slurm", "--workers", "2", "--profile", "cluster.yaml")
    given = (*given, "--wandb", "disabled")
    ended = invoke("sweep", "launch", "rates.yaml", *given, "--devices", "cpu")
    assert ended.code == 0, ended.err
    assert "9 trained" in ended.err
    assert "rate=0.3" in ended.out
    assert not cluster.queue()
    told = invoke("sweep", "launch", "rates.yaml", *given, "--slurm", "partition=wrok")
    assert told.code == 2
    assert "this cluster has: urgent, work. Did you mean 'work'?" in told.err
    refused = invoke(
        "sweep", "launch", "rates.yaml", *given, "--slurm", "time=soon", "--seeds", "9"
    )
    assert refused.code == 2
    assert "nothing was submitted: Invalid --time specification" in refused.err
