"""Arms that share most of their configuration: resolved at once as one by one, and told apart."""

import pytest
from helpers.recipes import DEFAULTS

from audiocls import library
from audiocls.config import Config, SharedParts, identity_config, merge, recipe, resolve
from audiocls.config.layers import ArmConfigs, UsedOptions
from audiocls.errors import ConfigError
from audiocls.parts import OWN_FILES
from audiocls.studies.request import ablation_request

LEVELS = [{"model.dropout": level / 100} for level in range(9)]


def test_every_arm_on_the_shelf_is_configured_as_if_it_were_alone():
    for name in library.available("ablations"):
        asked = ablation_request(name)
        plan, configs = asked.plan()
        shared = merge([asked.recipe, plan.ablation.base()])
        alone = {arm: resolve([changes], arm, merged=shared) for arm, changes in plan.arms.items()}
        assert configs == alone, name
        parts = SharedParts()
        for config in configs.values():
            assert parts.identity_config(config) == identity_config(config), name


def test_what_an_arm_leaves_alone_is_validated_once_for_all():
    arms = ArmConfigs(DEFAULTS, OWN_FILES)
    configs = [arms.of("an arm", changes) for changes in LEVELS]
    assert {config.model.dropout for config in configs} == {level / 100 for level in range(9)}
    assert len({id(config.features) for config in configs}) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"model.dropout": 2.0},
        {"model.dropuot": 0.1, "optim.lr": "fast"},
        {"no such part": 1},
        {"schedule.name": "plateau", "train.select": "last"},
        {"model": "no such model"},
    ],
)
def test_faults_of_an_arm_are_told_as_if_it_were_alone(changes):
    with pytest.raises(ConfigError) as alone:
        resolve([changes], "an arm", merged=DEFAULTS)
    with pytest.raises(ConfigError) as found:
        ArmConfigs(DEFAULTS, OWN_FILES).of("an arm", changes)
    assert str(found.value) == str(alone.value)


def test_arms_may_be_valid_where_what_they_share_is_not():
    shared = {**DEFAULTS, "freeze": True}
    with pytest.raises(ConfigError, match="nothing was trained before"):
        resolve([], "what they share", merged=shared)
    arm = ArmConfigs(shared, OWN_FILES).of("an arm", {"init_from": "weights.safetensors"})
    assert arm.freeze
    assert arm.init_from == "weights.safetensors"


def test_configurations_are_alike_where_they_differ_in_what_has_no_effect():
    arms, used = ArmConfigs(DEFAULTS, OWN_FILES), UsedOptions()
    plain = arms.of("plain", {})
    louder = arms.of("louder", {"train.loss_scale": 2.0 * plain.train.loss_scale})
    wider = arms.of("wider", {"model.dropout": 0.3})
    assert used.of(louder) == used.of(plain) != used.of(wider)


def test_rules_are_asked_of_an_arm_where_they_relate_what_it_changes(monkeypatch):
    assert {part for parts in recipe.RULES.values() for part in parts} <= Config.model_fields.keys()
    arms, asked = ArmConfigs(DEFAULTS, OWN_FILES), []

    def counted(parts):
        return lambda *_: asked.append(parts) or iter(())

    monkeypatch.setattr(recipe, "RULES", {counted(each): each for each in recipe.RULES.values()})
    arms.of("an arm", {"optim.lr": 0.1})
    assert asked == [("optim", "schedule", "sam", "train")]


def test_what_arms_share_is_dumped_and_encoded_once(monkeypatch):
    arms, parts, encoded = ArmConfigs(DEFAULTS, OWN_FILES), SharedParts(), []
    encode = parts._encode
    monkeypatch.setattr(parts, "_encode", lambda value: encoded.append(value) or encode(value))
    dumps = [parts.identity_config(arms.of("an arm", changes)) for changes in LEVELS]
    assert len({id(dump["features"]) for dump in dumps}) == 1
    ids = {trial for dump in dumps for trial in parts.trial_ids(dump, "data", [{}])}
    assert len(ids) == len(LEVELS)
    assert sum(isinstance(value, dict) for value in encoded) < len(dumps[0]) + len(LEVELS)
