"""A plan says which trials would be trained at once, and why others would not."""

import pytest
from helpers.processes import invoke, tiny_home

import audiocls
from audiocls.errors import UsageError

ARMS = """
name: tiny
question: which?
recipe: tiny
arms:
  base: {}
  dropped: {model.dropout: 0.2}
  faster: {optim.lr: 0.01}
  wide: {model.channels: [8, 8, 8, 16]}
  halved: {train.precision: fp16}
  cycled: {schedule.cycle_momentum: [0.85, 0.95]}
blocks: {seed: [0, 1], fold: [1]}
"""


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch):
    tiny_home(tmp_path)
    (tmp_path / "tiny.yaml").write_text(ARMS)
    monkeypatch.chdir(tmp_path)


def test_trials_of_one_shape_are_a_pack_and_others_say_why_not():
    packing = audiocls.plan("tiny.yaml", devices="cpu", per_device=4).facts["packing"]
    assert packing["execution"] == "fused"
    assert packing["shapes"] == [
        {"num_trials": 8, "arms": ["base", "dropped", "faster", "cycled"]},
        {"num_trials": 2, "arms": ["wide"]},
    ]
    assert list(packing["alone"].values()) == [["halved"]]


def test_a_cluster_with_gpus_gets_graphs_which_pack_other_trials():
    gpus = {"executor": "slurm", "workers": 2, "slurm": {"gpus": 1}}
    facts = audiocls.plan("tiny.yaml", per_device="auto", **gpus).facts
    assert facts["packing"]["execution"] == "graph"
    assert [shape["arms"] for shape in facts["packing"]["shapes"]] == [
        ["base", "dropped", "faster"], ["wide"],
    ]  # fmt: skip
    alone = facts["packing"]["alone"]
    assert sorted(alone.values()) == [["cycled"], ["halved"]]
    assert facts["placement"]["num_tasks"] == 2


def test_the_words_name_placement_packs_and_reasons():
    told = invoke("sweep", "plan", "tiny.yaml", "--devices", "cpu", "--per-device", "4").out
    words = " ".join(told.split())
    assert "cpu, up to 4 at once on each" in words
    assert "fused into one network: 8 trials of base, dropped, faster, cycled" in words
    assert "halved (train.precision fp16: each trial scales its loss by itself)" in words
    auto = invoke("sweep", "plan", "tiny.yaml", "--devices", "cpu", "--per-device", "auto").out
    assert "none: --per-device auto packs on CUDA devices alone" in " ".join(auto.split())


def test_folds_with_other_numbers_of_clips_are_other_packs(monkeypatch):
    from audiocls.studies import packing

    sizes = {1: 6, 2: 6, 3: 7}
    monkeypatch.setattr(packing, "_num_clips", lambda data, fold, tables: sizes[fold])
    planned = audiocls.plan("tiny.yaml", arms=["base"], folds=[1, 2, 3], devices="cpu",
                            per_device=8)  # fmt: skip
    assert [shape["num_trials"] for shape in planned.facts["packing"]["shapes"]] == [4, 2]


def test_a_sweep_says_what_its_trials_must_agree_in():
    planned = audiocls.plan("tune_logmel_cnn", devices="cpu", per_device=4)
    assert "optim.lr" not in planned.facts["packing"]["apart"]
    assert planned.facts["packing"]["per_device"] == 4


def test_a_plan_says_where_its_trials_would_be_trained_when_devices_are_named():
    facts = audiocls.plan("tiny.yaml", devices="cpu").facts["packing"]
    assert (facts["per_device"], set(facts["devices"]), facts["shapes"]) == (1, {"cpu"}, [])
    for name, executor in (("tiny.yaml", "local"), ("tune_logmel_cnn", "inline")):
        told = invoke("sweep", "plan", name, "--devices", "cpu", "--executor", executor).out
        assert "cpu, one at a time on each" in " ".join(told.split())
        assert "packs" not in told
    with pytest.raises(UsageError, match="--devices: got 'nonsense'; this machine has: auto, cpu"):
        audiocls.plan("tiny.yaml", devices="nonsense")


def test_without_packs_a_plan_is_as_before():
    assert "packing" not in audiocls.plan("tiny.yaml").facts


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"per_device": "many"}, "--per-device: got 'many'"),
        ({"per_device": 4, "executor": "inline"}, "--per-device: got 4, which needs workers"),
        ({"per_device": 4, "devices": "cuda:7"}, "--devices: got 'cuda:7'"),
    ],
    ids=["no number", "no workers", "no device"],
)
def test_what_cannot_be_packed_is_refused(given, fault):
    with pytest.raises(UsageError, match=fault):
        audiocls.plan("tiny.yaml", **given)


def test_trials_of_a_sweep_over_a_program_are_not_packed(tmp_path):
    (tmp_path / "train.py").write_text("print(1)\n")
    (tmp_path / "sweep.yaml").write_text(
        "program: train.py\nmethod: grid\nparameters: {lr: {values: [0.1, 0.2]}}\n"
    )
    told = invoke("sweep", "plan", "sweep.yaml", "--per-device", "4")
    assert (told.code, "--per-device: programs are run one by one" in told.err) == (2, True), told


@pytest.mark.parametrize("command", ["plan", "launch"])
def test_trials_of_a_program_are_not_packed(tmp_path, command):
    """Refused before anything runs, where a number would have had no effect."""
    (tmp_path / "train.py").write_text("print(1)\n")
    (tmp_path / "program.yaml").write_text(
        "name: program\nquestion: which?\nprogram: train.py\nmetric: {name: acc, goal: maximize}\n"
        "stats: {margin: 0.01}\nfactors: {lr: [0.1, 0.2]}\nblocks: {seed: [0, 1]}\n"
    )
    words = ["--wandb", "disabled"] if command == "launch" else []
    told = invoke("sweep", command, "program.yaml", *words, "--devices", "cpu", "--per-device", "4")
    assert (told.code, "--per-device: programs are run one by one" in told.err) == (2, True), told
    assert not (tmp_path / "runs" / "program" / "trials").exists()
