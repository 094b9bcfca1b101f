"""Every error of an ablation's document at once: of its keys, design, recipe and factors."""

import pytest

import audiocls
from audiocls import library
from audiocls.errors import ConfigError, UsageError
from audiocls.studies.request import ablation_request

RECIPE = """data: {name: synthetic}
features: {name: logmel}
model: {name: logmel_cn}
optim: {name: adamw, learning_rate: 3}
"""


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def faults(at_home):
    """The keys of all faults of an ablation's document, and the faults."""

    def read(text: str, recipe: str = "mine.yaml", **given) -> dict[str, str]:
        head = f"name: a\nquestion: Does it?\nrecipe: {recipe}\n"
        (at_home / "a.yaml").write_text(head + text)
        with pytest.raises(ConfigError) as raised:
            ablation_request("a.yaml", **given).plan()
        return {each.partition(":")[0]: each for each in raised.value.faults}

    return read


def test_faults_of_keys_of_the_recipe_and_of_factors_are_told_together(faults):
    found = faults("mixup: true\nmetric: {name: 3}\nfactors: {lrr: [1], optim.lr: [fast, 0.1]}\n")
    assert set(found) == {
        "mixup", "metric.name", "model.name", "optim.learning_rate", "schedule", "lrr", "optim.lr",
    }  # fmt: skip


def test_faults_of_the_design_do_not_hide_those_of_the_recipe(faults):
    found = faults("design: factorial\nfactors: {augment.mixes: [[mixup]], sam.rho: [0.05]}\n")
    assert set(found) == {"factors", "model.name", "optim.learning_rate", "schedule"}


def test_a_recipe_that_is_not_there_is_told_beside_the_other_faults(faults):
    found = faults("mixup: true\nfactors: {optim.lr: [0.1]}\n", recipe="nosuch")
    assert set(found) == {"mixup", "recipe"}
    assert "no recipe is called 'nosuch'" in found["recipe"]


def test_faults_of_named_arms_and_of_overrides_are_told_with_the_others(faults):
    found = faults(
        "mixup: true\noverrides: {train.epoch: 3}\n"
        "arms: {base: {}, wide: {model.widht: 3}, deep: {optim.lr: x}}\n",
        recipe="convnext1d-logmel",
    )
    assert set(found) == {"mixup", "train.epoch", "model.widht", "optim.lr"}


def test_what_is_set_on_the_command_line_is_told_with_the_others(faults):
    found = faults(
        "mixup: true\nfactors: {model.dropout: [0.1]}\n",
        recipe="convnext1d-logmel",
        assignments=["batch=3"],
    )
    assert set(found) == {"mixup", "batch"}


@pytest.mark.parametrize(
    "text",
    [
        "factors: {model.name: [convnext1d, kws], model.hidden: [16, 32]}\ndesign: factorial\n",
        "factors: {model.name: [kws, kws], model.hidden: [16, 32]}\n"
        "zip: [[model.name, model.hidden]]\n",
        "factors: {sam.rho: [0.1], sam.adaptive: [true]}\nwhen: {sam.adaptive: {sam.rho: 0.1}}\n",
        "factors: {train.loss: [focal], train.focal_gamma: [1.0]}\ndesign: leave_one_out\n",
        "factors: {seed: [1, 2]}\n",
    ],
)
def test_nothing_that_other_keys_may_make_right_is_a_fault_beside_another(faults, text):
    """An unknown key is the only fault that is certain; no level is judged without its company."""
    found = faults(f"mixup: true\n{text}", recipe="convnext1d-logmel")
    assert set(found) <= {"mixup", "seed"}


def test_a_program_has_no_recipe_whose_faults_to_tell(at_home):
    (at_home / "p.yaml").write_text(
        "name: p\nquestion: q?\nprogram: t.py\nmixup: true\nfactors: {lr: [1, 2]}\n"
        "metric: {name: acc, goal: maximize}\nstats: {margin: 0.1}\n"
    )
    with pytest.raises(ConfigError) as raised:
        ablation_request("p.yaml")
    assert [fault.partition(":")[0] for fault in raised.value.faults] == ["mixup"]


def test_a_factorial_without_the_recipes_own_levels_says_what_to_list(faults):
    found = faults(
        "design: factorial\nfactors: {augment.mixes: [[mixup]], sam.rho: [0.05]}\n",
        recipe="convnext1d-logmel",
    )
    (fault,) = found.values()
    assert "nothing would be compared" in fault
    assert 'augment.mixes: [OWN, ["mixup"]]' in fault
    assert "design: ofat" in fault


@pytest.mark.parametrize("call", [audiocls.plan, library.ablation, library.recipe])
def test_a_file_of_that_name_is_suggested_before_all_others(at_home, call):
    (at_home / "mixup_sam.yaml").write_text("name: x\n")
    with pytest.raises(UsageError) as raised:
        call("mixup_sam")
    told = str(raised.value)
    assert "is called 'mixup_sam', and mixup_sam.yaml is here: give that path." in told
    assert told.index("mixup_sam.yaml") < told.index("Known: ")
    assert "Did you mean" not in told
