"""`--executor ray`: on clusters of real nodes, which see neither the study nor its data."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from glob import glob
from pathlib import Path

import psutil
import pytest
from helpers.frozen_studies import ABLATIONS, RECIPE, SWEEPS
from helpers.own_data import sounds
from helpers.own_parts import write_package
from helpers.processes import Home, num_trained, tiny_home, wait, wait_until
from helpers.ray_clusters import NO_TOKEN, add_node, ray_cluster
from helpers.recipes import TINY_RECIPE_YAML

pytestmark = [pytest.mark.slow, pytest.mark.alone]

NUM_EPOCHS = 160
CHOSEN = ("--arms", "baseline", "--seeds", "0..3", "--set", f"train.epochs={NUM_EPOCHS}")
NUM_LASTING = 5 * NUM_EPOCHS
"""Of trials that last: a node takes seconds to come, in which a quick machine trains on."""
LASTING = (*CHOSEN[:-1], f"train.epochs={NUM_LASTING}")


@pytest.fixture(scope="module")
def node_cache(tmp_path_factory):
    """The cache of all nodes."""
    return tmp_path_factory.mktemp("nodes")


@pytest.fixture(scope="module")
def cluster(node_cache):
    """A head and two nodes of one core."""
    with ray_cluster(2, node_cache) as cluster:
        yield cluster


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in NO_TOKEN.items():
        monkeypatch.setenv(name, value)
    return tiny_home(tmp_path)


def words(cluster, *given: str) -> tuple[str, ...]:
    """A launch on the cluster, in words."""
    ray = ("--executor", "ray", "--ray-address", cluster.address)
    return ("sweep", "launch", "tiny.yaml", *ray, *given)


def histories(home: Home) -> dict[str, list[int]]:
    """Return trial id → the epochs in its history at home."""
    files = (home.path / "runs/tiny/trials").glob("*/history.jsonl")
    rows = {file.parent.name: file.read_text().splitlines() for file in files}
    return {name: [int(json.loads(line)["epoch"]) for line in rows[name]] for name in rows}


def metrics(home: Home) -> dict[str, dict[str, float]]:
    records = {t.name: json.loads((t / "record.json").read_text()) for t in home.finished()}
    return {name: record["metrics"] for name, record in records.items()}


def training_processes() -> list[psutil.Process]:
    """Return the processes that train on nodes."""
    found = [p for p in psutil.process_iter() if "audiocls.execution.worker" in words_of(p)]
    return [p for p in found if "NodeWorker" in words_of(p.parent())]


def words_of(process: psutil.Process | None) -> str:
    try:
        return " ".join(process.cmdline()) if process else ""
    except psutil.Error:
        return ""


def num_underway(home: Home) -> int:
    return sum(0 < len(rows) < NUM_EPOCHS for rows in histories(home).values())


def num_rows(home: Home) -> int:
    return sum(map(len, histories(home).values()))


def wait_for_rows(launch: subprocess.Popen[str], home: Home, number: int) -> None:
    """Wait until a launch has trained some more epochs, on two workers."""
    before = num_rows(home)

    def is_so() -> bool:
        assert launch.poll() is None, launch.communicate()
        return num_rows(home) >= before + number and len(training_processes()) == 2

    wait_until(is_so, 150)


def lose_worker_and_node(cluster, launch: subprocess.Popen[str], home: Home, node_cache) -> None:
    """Kill a worker, then remove a node and add another; training goes on after each."""
    wait_for_rows(launch, home, 10)
    training_processes()[0].kill()
    wait_for_rows(launch, home, 10)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    add_node(cluster, node_cache)
    wait_for_rows(launch, home, 10)


def test_what_workers_and_nodes_lose_is_trained_again_to_the_same_bits(
    cluster, home, node_cache, tmp_path_factory
):
    launch = home.start(*words(cluster, "--wandb", "offline", *LASTING))
    lose_worker_and_node(cluster, launch, home, node_cache)
    began = time.monotonic()
    home.run("sweep", "stop", "tiny")
    ended = wait(launch)
    assert ended.code == 75, ended.err
    assert time.monotonic() - began < 20
    assert "worker killed by SIGKILL; resuming from its last snapshot" in ended.err
    assert "does not answer: it was killed, or its node is lost" in ended.err or (
        "is lost with its node" in ended.err
    )
    assert not re.search("state-dump|raylet|rpc|class_name", (ended.out + ended.err).lower())
    assert "Raylet is terminated" in (home.path / "runs/tiny/workers.log").read_text()
    assert any(node_cache.glob("pack-*"))
    assert not any(node_cache.glob("synthetic-*"))
    num_left = 4 - len(home.finished())
    rest = home.launch(*LASTING)
    assert num_trained(rest.err) == num_left > 0
    assert all(rows == [*range(1, NUM_LASTING + 1)] for rows in histories(home).values())
    runs = [run.name for run in (home.path / "runs/tiny/wandb").glob("offline-run-*")]
    assert runs
    assert all(any(trial.name in run for trial in home.finished()) for run in runs)
    undisturbed = tiny_home(tmp_path_factory.mktemp("undisturbed"))
    undisturbed.launch(*LASTING)
    assert metrics(home) == metrics(undisturbed)


def test_ctrl_c_ends_within_seconds_and_leaves_nothing_running(cluster, home):
    launch = home.start(*words(cluster, "--wandb", "disabled", *CHOSEN))
    wait_until(lambda: num_underway(home) >= 1, 120)
    began = time.monotonic()
    os.kill(launch.pid, signal.SIGINT)
    assert wait(launch).code == 75
    assert time.monotonic() - began < 15
    wait_until(lambda: not training_processes())
    assert list(Path("/tmp").glob("audiocls-node-*/owner")) == []


STAGES = """
name: stages
question: Does training on other clips first help a tiny network?
recipe: tiny
arms:
  whole: &other {pretraining.data: {name: synthetic, num_sources: 5, clips_per_source: 1,
                 sample_rate: 8000, duration_s: 0.5, seed: 1}, pretraining.epochs: 400}
  frozen: {<<: *other, freeze: true}
blocks: {seed: [0], fold: [1, 2]}
"""


def pretraining_workers() -> list[psutil.Process]:
    """Return the actors of nodes on this machine whose trial pre-trains, now or until it ended."""
    found = []
    # Path.glob fails where a folder is removed meanwhile.
    for name in glob("/tmp/audiocls-node-*/*/*/pretrained/*/history.jsonl"):  # noqa: PTH207
        history = Path(name)
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            owner = (history.parents[4] / "owner").read_text()
            if history.stat().st_size:
                found.append(psutil.Process(int(re.findall(r"-(\d+)-", owner)[-1])))
    return found


def node_of(cluster, actor: psutil.Process):
    """Return the node of a cluster that an actor lives on."""
    above = {each.pid for each in actor.parents()}
    raylets = {node: node.all_processes["raylet"][0].process.pid for node in cluster.worker_nodes}
    return next(node for node, pid in raylets.items() if pid in above)


def results(home: Home) -> dict[str, object]:
    """Return metrics by trial, and the weights of stages, by id."""
    records = (home.path / "runs/stages/trials").glob("*/record.json")
    weights = (home.path / "runs/stages/pretrained").glob("*/checkpoint.safetensors")
    found = {file.parent.name: json.loads(file.read_text())["metrics"] for file in records}
    return {**found, **{file.parent.name: file.read_bytes() for file in weights}}


def test_pretraining_needs_no_shared_folder_and_outlives_its_node_and_its_launch(
    cluster, home, node_cache, tmp_path_factory
):
    launch = (*words(cluster, "--wandb", "disabled")[:2], "stages.yaml")
    launch += words(cluster, "--wandb", "disabled")[3:]
    homes = [home, tiny_home(tmp_path_factory.mktemp("undisturbed"))]
    for each in homes:
        (each.path / "stages.yaml").write_text(STAGES)
    process = home.start(*launch)

    def is_pretraining(*but: psutil.Process) -> bool:
        assert process.poll() is None, process.communicate()
        return any(actor not in but for actor in pretraining_workers())

    wait_until(is_pretraining, 300)
    lost = pretraining_workers()[0]
    cluster.remove_node(node_of(cluster, lost), allow_graceful=False)
    add_node(cluster, node_cache)
    wait_until(lambda: is_pretraining(lost), 300)
    process.kill()
    process.communicate()
    wait_until(lambda: not training_processes(), 60)
    home.run(*launch)
    homes[1].run("sweep", "launch", "stages.yaml", "--wandb", "disabled")
    assert any(node_cache.glob("pretrained-*"))
    assert len(results(home)) == 5
    assert results(home) == results(homes[1])


PROGRAM = """
import sys
from audiocls import report_result
import beside

given = dict(word.lstrip("-").split("=") for word in sys.argv[1:])
report_result({"score": beside.score(float(given["x"]))})
"""
SWEEP = """
program: program.py
method: grid
metric: {name: score, goal: maximize}
parameters: {x: {values: [1, 2]}}
"""


def test_packs_outlive_their_worker_and_their_node_and_are_finished_here(cluster, home, node_cache):
    pack = ("--per-device", "2", "--wandb", "disabled")
    launch = home.start(*words(cluster, *pack, *LASTING))
    lose_worker_and_node(cluster, launch, home, node_cache)
    home.run("sweep", "stop", "tiny")
    ended = wait(launch)
    assert ended.code == 75, ended.err
    assert ended.err.count("worker killed by SIGKILL; resuming from its last snapshot") == 2
    assert ended.err.count("its worker on") == 2
    home.launch(*LASTING)
    assert all(rows == [*range(1, NUM_LASTING + 1)] for rows in histories(home).values())
    records = [json.loads((trial / "record.json").read_text()) for trial in home.finished()]
    assert len(records) == 4
    assert any("fused" in record["provenance"]["execution"] for record in records)


def test_the_devices_of_a_trial_are_on_one_node(cluster, home, node_cache):
    """Two cores, of which no node has had as many."""
    recipe = home.path / "recipes/tiny.yaml"
    raw = "features: {name: raw}\nmodel: {name: convnext1d, stem_width: 4, strides: [4]}"
    recipe.write_text(re.sub("features: .*\nmodel: .*", raw, TINY_RECIPE_YAML))
    chosen = ("--arms", "baseline", "--seeds", "0", "--wandb", "disabled")
    chosen += ("--devices-per-trial", "2")
    refused = home.run(*words(cluster, *chosen), code=2)
    assert "to have 2 CPU, and no node offers that" in refused.err
    node = add_node(cluster, node_cache, num_cpus=2)
    try:
        home.run(*words(cluster, *chosen))
    finally:
        cluster.remove_node(node)
    [trial] = home.finished()
    record = json.loads((trial / "record.json").read_text())
    assert record["provenance"]["execution"] == "eager on 2 devices"


def test_own_parts_go_to_the_nodes(cluster, home):
    write_package(home.path)
    recipe = home.path / "recipes/tiny.yaml"
    own = recipe.read_text().replace("logmel_cnn, channels: [8, 8, 8, 8]", "'my_pkg.nets:MyNet'")
    recipe.write_text(own)
    home.change(factors="{model.width: [4]}")
    home.run(*words(cluster, "--wandb", "disabled", "--seeds", "0"))
    assert len(home.finished()) == 2


@pytest.mark.parametrize("is_packed", [True, False])
def test_data_at_a_url_is_sent_decoded_or_fetched_by_each_node(
    cluster, home, node_cache, is_packed
):
    sounds(home.path / "birds", *(f"{label}/{i}.wav" for label in "ab" for i in range(10)))
    data = f"{{name: folder, root: 'file://{home.path}/birds', sample_rate: 8000, duration_s: 0.1"
    recipe = re.sub("data: .*", f"data: {data}, pack: {str(is_packed).lower()}}}", TINY_RECIPE_YAML)
    (home.path / "recipes/tiny.yaml").write_text(recipe)
    chosen = ("--arms", "baseline", "--seeds", "0..1", "--wandb", "disabled")
    ended = home.run(*words(cluster, *chosen))
    assert num_trained(ended.err) == 2
    fetched = {file.name for file in node_cache.glob("remote/*/*/files/*")}
    assert fetched == (set() if is_packed else {"a", "b"})
    there = metrics(home)
    shutil.rmtree(home.path / "runs")
    home.launch(*chosen[:-2])
    assert metrics(home) == there


def test_programs_of_anybody_go_to_the_nodes(cluster, home):
    (home.path / "program.py").write_text(PROGRAM)
    (home.path / "beside.py").write_text("def score(x):\n    return 10 * x\n")
    (home.path / "tiny.yaml").write_text(SWEEP)
    home.run(*words(cluster, "--wandb", "disabled"))
    assert sorted(each["score"] for each in metrics(home).values()) == [10.0, 20.0]


def test_more_than_any_node_offers_is_refused_before_anything_is_written(cluster, home):
    refused = home.run(*words(cluster, "--cpus-per-worker", "64"), code=2)
    assert "no node offers that; the nodes offer: 0 CPU and 0 GPU, 1 CPU and 0 GPU" in refused.err
    refused = home.run(*words(cluster, "--devices", "A100"), code=2)
    assert "--devices: got 'A100'; this Ray cluster has: auto, cpu" in refused.err
    assert not (home.path / "runs").exists()


@pytest.mark.parametrize("name", ["decided", "tuned", "failed", "search", "grid"])
def test_studies_of_every_kind_end_as_on_one_machine(cluster, home, tmp_path_factory, name):
    """Looks until it is decided, tuning, failures by their cause, and searches with a stop rule."""
    (home.path / "recipes/tiny.yaml").write_text(RECIPE)
    header = f"name: {name}\nquestion: Is it the same?\nrecipe: tiny\n"
    text = header + ABLATIONS[name] if name in ABLATIONS else f"name: {name}\n{SWEEPS[name]}"
    (home.path / "tiny.yaml").write_text(text)
    grow = ("--until-decided", "--max-pairs", "12") if name == "decided" else ()
    code = 3 if name == "failed" else 0
    home.run(*words(cluster, "--wandb", "disabled", *grow), code=code)
    there = endings(home.path / "runs")
    home.launch(*grow, "--runs", "here", code=code)
    here = endings(home.path / "here")
    assert there
    if name == "grid":  # which of its trials are stopped depends on which are ahead
        assert there.keys() == here.keys()
    else:
        assert there == here


def endings(runs: Path) -> dict[str, object]:
    """Return trial → its metrics, or the cause of its failure."""
    found = {}
    for trial in runs.glob("*/trials/*"):
        record, failure = trial / "record.json", trial / "failure.json"
        is_done = record.exists()
        content = json.loads((record if is_done else failure).read_text())
        found[trial.name] = content["metrics"] if is_done else content["cause"]
    return found
