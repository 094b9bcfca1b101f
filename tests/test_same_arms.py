"""Two arms that are one: a level that the recipe has already is refused by whatever reads it."""

import pytest
from helpers.processes import invoke, tiny_home
from helpers.recipes import make_ablation

import audiocls
from audiocls.design import plan
from audiocls.errors import ConfigError
from audiocls.studies.runnable import check_arms_differ

SAID = (
    "arm 'dropout=0.0' is the same as arm 'baseline': got model.dropout=0.0, which `recipe` or "
    "`overrides` set already; allowed: values that no other arm has. Remove it, or change its value"
)
COMMANDS = {
    "sweep plan": ("sweep", "plan", "tiny.yaml"),
    "ablation plan": ("ablation", "plan", "tiny.yaml"),
    "sweep launch": ("sweep", "launch", "tiny.yaml"),
    "ablation register": ("ablation", "register", "./tiny.yaml", "--out", "registered"),
    "train": ("train", "--ablation", "tiny.yaml", "arm=dropout=0.0", "seed=0", "fold=1"),
    "sweep plan --arms": ("sweep", "plan", "tiny.yaml", "--arms", "dropout=0.0"),
}
CALLS = {
    "plan": lambda: audiocls.plan("tiny.yaml"),
    "launch": lambda: audiocls.launch("tiny.yaml"),
    "register": lambda: audiocls.register("./tiny.yaml", out="registered"),
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An ablation with one level that its recipe has by default."""
    home = tiny_home(tmp_path)
    home.change(factors="{model.dropout: [0.0, 0.5]}")
    monkeypatch.chdir(tmp_path)
    return home


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_every_command_refuses_it_in_the_same_sentence(words, home):
    refused = invoke(*words)
    assert refused.code == 2
    assert f"error: tiny (recipe tiny):\n  - {SAID}\n" in refused.err
    assert sorted(file.name for file in home.path.iterdir()) == ["recipes", "tiny.yaml"]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_python_refuses_it_in_the_same_sentence(call, home):
    with pytest.raises(ConfigError) as refused:
        call()
    assert list(refused.value.faults) == [SAID]


def test_it_is_not_refused_where_it_is_the_baselines_own_level(home):
    home.change(factors="{model.dropout: [0.0, 0.5]}", design="factorial")
    for words in (COMMANDS["sweep plan"], COMMANDS["ablation register"]):
        assert invoke(*words).code == 0


def test_data_in_two_places_may_be_two_data_sets(home):
    """What is in them is known once they are read."""
    home.change(factors="{data.root: [a, b]}")
    (home.path / "recipes/tiny.yaml").write_text("data: {name: esc50}\n")
    assert "the same as" not in invoke("sweep", "plan", "tiny.yaml").err


def test_of_arms_that_are_the_same_each_is_told_with_the_first():
    arms = {"one": {"lr": 1}, "two": {"lr": 2}, "three": {"lr": 1.0, "x": "a b"}, "four": {"lr": 1}}
    chosen = plan(make_ablation(arms=arms))
    with pytest.raises(ConfigError) as refused:
        check_arms_differ(chosen, {"one": "1", "two": "2", "three": "1", "four": "1"})
    three, four = refused.value.faults
    assert "'three' is the same as arm 'one': got lr=1.0, x=a b, which lr=1 comes to" in three
    assert "'four' is the same as arm 'one': got lr=1, which lr=1 comes to" in four
