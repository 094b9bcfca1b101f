"""Budgets: a model that costs too much is refused before its first step, with the reason."""

import pytest
from helpers.recipes import TINY

from audiocls import library
from audiocls.analysis.compare import compare
from audiocls.config import identity_config, resolve
from audiocls.design import load_ablation, plan
from audiocls.errors import ConfigError
from audiocls.render.build.values import to_json
from audiocls.render.build.verdicts import verdict_table
from audiocls.store import Study
from audiocls.studies.budget import within_budget
from audiocls.studies.resolve import configs_of, study_of
from audiocls.studies.runnable import tables_of
from audiocls.training import cost
from audiocls.training.budget import counted_macs
from audiocls.training.cost import macs_of, num_params
from audiocls.training.init_from import freeze


def test_a_model_at_its_limits_is_taken_and_one_above_is_refused(tiny_parts):
    parts = tiny_parts()
    params, macs = num_params(parts.classifier), macs_of(parts.config, 10)
    tiny_parts({"budget.max_params": params, "budget.max_macs": macs})
    with pytest.raises(ConfigError) as raised:
        tiny_parts({"budget.max_params": params - 1, "budget.max_macs": macs // 2})
    over_params, over_macs, dominating = raised.value.faults
    assert f"needs {params:,}, 1 (" in over_params
    assert "(100%) above" in over_macs or "(101%) above" in over_macs
    assert "what dominates" in dominating
    assert "parameters" in dominating


def test_a_learned_front_end_counts(tiny_parts):
    leaf = {"features": {"name": "leaf", "num_filters": 8, "window": 101, "hop": 128}}
    config = tiny_parts(leaf).config
    plain = tiny_parts({"features": {"name": "logmel", "n_mels": 8, "n_fft": 256, "hop": 128}})
    assert macs_of(config, 10) > macs_of(plain.config, 10)
    assert num_params(tiny_parts(leaf).classifier) > num_params(plain.classifier)


def test_another_budget_is_another_trial_so_that_neither_refusal_nor_result_is_reused(tiny_config):
    assert identity_config(tiny_config({"budget.max_params": 10})) != identity_config(tiny_config())


def test_frozen_parameters_are_in_the_budget_too(tiny_parts):
    classifier = tiny_parts().classifier
    whole = num_params(classifier)
    freeze(classifier, classifier.state_dict())
    assert num_params(classifier) == whole


def test_an_ablations_budget_is_every_arms(tiny_config):
    recipe = tiny_config().model_dump(mode="json")
    question = {
        "name": "a",
        "question": "?",
        "recipe": "tiny",
        "factors": {"model.dropout": [0.1]},
        "budget": {"max_params": 5000, "max_macs": 10**6},
    }
    configs = configs_of(plan(load_ablation(question, "a.yaml")), recipe, {})
    assert {(c.budget.max_params, c.budget.max_macs) for c in configs.values()} == {(5000, 10**6)}


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"budget\.max_params"):
        resolve([{"budget": {"max_params": 0}}], "a.yaml")


def test_macs_are_counted_as_the_guard_of_the_source_counts_them():
    """Thop 0.1.1 on the same networks: its products, and 4 an element of BatchNorm."""
    for name, num_classes, products, thop in (
        ("kws-tiny", 5, 711_296, 792_320),
        ("kws-tiny-cpu", 10, 58_920, 65_064),
    ):
        counts = {
            counting: counted_macs(
                resolve([library.recipe(name), {"budget.counting": counting}], name), num_classes
            )
            for counting in ("products", "thop")
        }
        assert counts == {"products": products, "thop": thop}


QUESTION = {
    "name": "a",
    "question": "?",
    "recipe": "tiny",
    "arms": {
        "base": {},
        "small": {"model.channels": [4] * 4},
        "large": {"model.channels": [64] * 4},
    },
    "budget": {"max_params": 4000},
}


def chosen_of(cache):
    return set_aside(cache)[0]


def set_aside(cache, **changes):
    chosen = plan(load_ablation({**QUESTION, **changes}, "a.yaml"))
    configs = configs_of(chosen, TINY, {})
    return within_budget(chosen, configs, tables_of(configs, cache))


def test_an_arm_over_budget_is_a_result_and_the_others_are_compared(cache):
    chosen, configs = set_aside(cache)
    assert list(chosen.arms) == list(configs) == ["base", "small"]
    (text,) = chosen.over_budget.values()
    assert list(chosen.over_budget) == ["large"]
    assert text.startswith("over budget by ")
    assert "parameters, allowed are 4,000" in text


def test_arms_of_one_network_have_it_built_once(cache, monkeypatch):
    built = []
    trained_network = cost.trained_network
    monkeypatch.setattr(
        cost, "trained_network", lambda *given: built.append(given) or trained_network(*given)
    )
    set_aside(cache, arms={f"a{i}": {"optim.lr": 10.0**-i} for i in range(1, 6)})
    assert len(built) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": {"max_params": 10}},  # the baseline too
        {"arms": {}, "design": "factorial", "factors": {"model.channels": [[8] * 4, [64] * 4]}},
    ],
)
def test_a_study_that_cannot_do_without_the_arm_is_left_whole_and_refused(changes, cache):
    chosen, _ = set_aside(cache, **changes)
    assert len(chosen.arms) == (3 if "budget" in changes else 2)
    assert chosen.over_budget == {}


def test_the_arm_that_did_not_fit_is_a_row_of_the_report_and_of_the_plan(cache):
    chosen = plan(load_ablation(QUESTION, "a.yaml"), seeds=[0])
    configs = configs_of(chosen, TINY, {})
    study = study_of(chosen, configs, {}, cache, "a").study
    assert list(study.arms) == ["base", "small"]
    kept = Study.from_mapping(study.to_mapping())
    assert kept.over_budget == study.over_budget == chosen_of(cache).over_budget
    table = verdict_table(compare(kept, {}))
    (row,) = (row for row in table.rows if row[0] == "large")
    assert "over budget" in row
    assert any(str(cell).startswith("over budget by ") for cell in row)
    assert to_json(compare(kept, {}))["over_budget"] == kept.over_budget


def test_a_study_without_such_arms_says_nothing_of_budgets(cache):
    chosen = plan(load_ablation({**QUESTION, "budget": {}}, "a.yaml"), seeds=[0])
    study = study_of(chosen, configs_of(chosen, TINY, {}), {}, cache, "a").study
    assert "over_budget" not in study.to_mapping()
    assert "over_budget" not in to_json(compare(study, {}))
