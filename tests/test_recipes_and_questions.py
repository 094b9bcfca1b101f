"""`recipe list | show | copy`, and `ablation new`: a question of one's own, planned at once."""

import json

import pytest
import yaml  # noqa: TID251 - what was written is read by another reader
from helpers.processes import invoke

import audiocls
from audiocls import library
from audiocls.errors import ConfigError, UsageError


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan_of(file):
    return audiocls.plan(str(file)).facts


def test_every_recipe_is_listed_with_a_sentence_its_data_and_its_cost():
    rows = audiocls.list_recipes().rows()
    assert [row["name"] for row in rows] == list(library.available("recipes"))
    for row in rows:
        assert row["what"][0].isupper()
        assert row["what"].endswith(".")
        assert row["data"] in audiocls.list_parts("data").names
        epochs, where = row["cost"].split(", ")
        assert int(epochs.split()[0]) > 0
        assert (where == "CPU") == (row["data"] == "synthetic")


def test_a_recipe_is_shown_as_it_is_written_and_as_json():
    file = library.find("recipes", "kws-tiny")
    assert invoke("recipe", "show", "kws-tiny").out == file.read_text()
    shown = json.loads(invoke("recipe", "show", "kws-tiny", "--json").out)
    assert shown == yaml.safe_load(file.read_text())


def test_a_copy_is_the_recipe_and_trains_alike(at_home):
    assert invoke("recipe", "copy", "logmel-cnn").out == "logmel-cnn.yaml\n"
    copied = audiocls.copy_recipe("logmel-cnn", "deep/mine.yaml")
    assert copied.read_text() == library.find("recipes", "logmel-cnn").read_text()
    assert (at_home / "logmel-cnn.yaml").read_text() == copied.read_text()


def test_a_copy_replaces_nothing_and_ends_in_yaml(at_home):
    (at_home / "mine.yaml").write_text("mine")
    told = invoke("recipe", "copy", "logmel-cnn", "mine.yaml")
    assert told.code == 2
    assert "already exists" in told.err
    assert (at_home / "mine.yaml").read_text() == "mine"
    with pytest.raises(UsageError, match=r"ends in \.yaml"):
        audiocls.copy_recipe("logmel-cnn", "mine.txt")


def test_an_unknown_recipe_is_met_with_the_nearest():
    assert "Did you mean 'logmel-cnn'?" in invoke("recipe", "show", "logmel-cn").err


def test_a_path_without_a_file_is_met_with_the_files_there(tmp_path):
    missing = tmp_path / "min.yaml"
    with pytest.raises(UsageError, match=f"none in {tmp_path}"):
        library.find("recipes", str(missing))
    (tmp_path / "mine.yaml").write_text("model: {name: logmel_cnn}")
    with pytest.raises(UsageError, match=r"there: .*mine.yaml\. Did you mean .*mine.yaml"):
        library.find("recipes", str(missing))


def test_a_new_ablation_is_planned_as_it_stands():
    factors = ("mixup", "sam=0.05,0.1", "dropout=0,0.1", "optim.lr=1e-3", "model=kws")
    given = [word for factor in factors for word in ("--factor", factor)]
    told = invoke("ablation", "new", "both", "--recipe", "logmel-cnn", *given)
    assert told.code == 0
    assert "dropout-0: left out, for it is what the recipe has already" in told.err
    facts = plan_of("both.yaml")
    assert facts["arms"] == [
        "baseline", "mixup", "sam-0.05", "sam-0.1", "dropout-0.1", "lr-1e-3", "model-kws",
    ]  # fmt: skip
    assert facts["num_pairs"] == 10
    assert f"{facts['num_trials']} trials" in told.out
    arms = audiocls.read_ablation("both.yaml").arms
    assert arms["mixup"] == {"augment.mixes": ["mixup"]}
    assert arms["sam-0.05"] == {"sam.rho": 0.05}


def test_a_new_ablation_opens_with_its_question_its_cost_and_its_command(at_home):
    audiocls.new_ablation("q", recipe="logmel-cnn", factor={"model.dropout": [0.1, 0.2]})
    lines = (at_home / "q.yaml").read_text().splitlines()
    assert lines[0] == "# Does dropout help logmel-cnn?"
    assert lines[1] == f"# 3 arms x 5 folds x 2 seeds = {plan_of('q.yaml')['num_trials']} trials"
    assert lines[2] == "# audiocls sweep launch q.yaml"
    for key in ("recipe:", "arms:", "blocks:"):
        at = next(i for i, line in enumerate(lines) if line.startswith(key))
        assert lines[at - 1].startswith("# ")


def test_texts_and_a_mapping_of_factors_make_one_file(at_home):
    audiocls.new_ablation("a", recipe="logmel-cnn", factor={"optim.lr": [1e-3, 0.01]})
    audiocls.new_ablation("b", recipe="logmel-cnn", factor=["optim.lr=0.001,0.01"])
    first, second = ((at_home / f"{name}.yaml").read_text() for name in "ab")
    assert yaml.safe_load(first)["arms"] == yaml.safe_load(second)["arms"]


def test_every_wrong_factor_is_named_and_nothing_is_written(at_home):
    with pytest.raises(ConfigError) as raised:
        audiocls.new_ablation(
            "x",
            recipe="kws-tiny-cpu",
            factor=["dropout=0.1", "lrr=1", "epochs=many", "lr", "optim.weight_dekay=1"],
        )
    assert [fault.partition(":")[0] for fault in raised.value.faults] == [
        "dropout", "lrr", "train.epochs", "lr", "optim.weight_dekay",
    ]  # fmt: skip
    assert not list(at_home.iterdir())


@pytest.mark.parametrize(
    ("factor", "arm", "changes"),
    [
        ("mixup=true", "mixup", {"augment.mixes": ["mixup"]}),
        ("ema=true", "ema", {"averaging.name": "ema"}),
        ("sam=true", "sam", {"sam.rho": 0.05}),
        ("asam", "asam", {"sam.adaptive": True, "sam.rho": 0.5}),
        ("asam=true", "asam", {"sam.adaptive": True, "sam.rho": 0.5}),
        ("sam.adaptive=true", "adaptive-on", {"sam.adaptive": True, "sam.rho": 0.5}),
        ("bf16", "bf16", {"train.precision": "bf16"}),
    ],
)
def test_a_word_switched_on_is_what_it_means_with_what_that_needs(at_home, factor, arm, changes):
    made = audiocls.new_ablation("w", recipe="logmel-cnn", factor=[factor])
    assert yaml.safe_load((at_home / "w.yaml").read_text())["arms"][arm] == changes
    assert any("sam.rho=0.5 as well" in note for note in made.notes) == ("sam.adaptive" in changes)


@pytest.mark.parametrize(
    ("factor", "told"),
    [
        ("batch=true", "batch: got true; wanted: numbers, such as --factor batch=16"),
        ("lr=on", "wanted: numbers"),
        ("seeds=0,1", "--seeds 0..4"),
        ("folds=2", "--folds 1..3"),
        ("amp", "train.precision, whose values are missing; the recipe has fp32"),
        ("specaugment", "augment.freq_mask or augment.time_mask, whose values are missing"),
        ("gpus=2", "takes --devices"),
    ],
)
def test_a_refused_factor_comes_with_a_way_out(at_home, factor, told):
    with pytest.raises(ConfigError) as raised:
        audiocls.new_ablation("w", recipe="logmel-cnn", factor=[factor])
    assert told in " ".join(raised.value.faults)


def test_a_factor_that_changes_nothing_is_refused(at_home):
    with pytest.raises(ConfigError, match="what the recipe has already"):
        audiocls.new_ablation("x", recipe="logmel-cnn", factor=["model.dropout=0"])
    assert not list(at_home.iterdir())


def test_a_new_ablation_replaces_no_file(at_home):
    (at_home / "x.yaml").write_text("mine")
    told = invoke("ablation", "new", "x", "--recipe", "logmel-cnn", "--factor", "mixup")
    assert told.code == 2
    assert "already exists" in told.err
    assert (at_home / "x.yaml").read_text() == "mine"


def test_arms_of_a_recipe_that_stops_early_are_trained_alike():
    made = audiocls.new_ablation("k", recipe="kws-tiny", factor=["lr=0.01"])
    assert audiocls.read_ablation("k.yaml").overrides == {"train.patience": 0}
    assert any("train.patience" in note for note in made.notes)
    assert plan_of("k.yaml")["num_pairs"] == 5


def test_several_labels_a_clip_are_compared_by_map():
    audiocls.new_ablation("m", recipe="eat-m-audioset-cpu", factor=["lr=0.01"])
    assert audiocls.read_ablation("m.yaml").metric.name == "test/map"


@pytest.mark.parametrize("recipe", library.available("recipes"))
def test_every_recipe_can_be_asked_about(recipe):
    audiocls.new_ablation("any", recipe=recipe, factor=["weight_decay=0.123"])
    assert audiocls.read_ablation("any.yaml").recipe == recipe
