"""Budgets: a model that costs too much is refused before its first step, with the reason."""

import pytest

from audiocls.config import identity_config, resolve
from audiocls.design import load_ablation, plan
from audiocls.errors import ConfigError
from audiocls.studies.resolve import configs_of
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
