"""Configuration: layers and their order, faults said at once, the identity of a trial."""

import itertools

import pytest
from helpers.recipes import TINY

from audiocls import library, yaml_file
from audiocls.config import SharedParts, identity_config, merge, resolve, trial_id
from audiocls.errors import ConfigError


def faults(*changes) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        resolve([TINY, *changes], "a.yaml")
    return raised.value.faults


def id_of(*changes) -> str:
    return trial_id(identity_config(resolve([TINY, *changes], "")), "data")


def test_defaults_lie_under_the_recipe_and_each_layer_over_those_before():
    layers = [TINY, {"optim.lr": 0.01, "seed": 1}, {"optim": {"lr": 0.02}}]
    config = resolve(layers, "")
    assert (config.optim.lr, config.seed) == (0.02, 1)
    assert config.optim.weight_decay == 0.01  # the default of AdamW


def test_both_spellings_of_a_key_mean_the_same_in_every_layer():
    nested, dotted = {"optim": {"lr": 0.5}}, {"optim.lr": 0.5}
    spelled = [resolve([TINY, *layers], "") for layers in ([nested], [dotted], [dotted, nested])]
    assert spelled[0] == spelled[1] == spelled[2]


def test_choosing_another_part_drops_the_options_of_the_old_one():
    config = resolve([TINY, {"optim.momentum": 0.5, "optim.name": "sgd"}], "")
    assert (config.optim.name, config.optim.momentum) == ("sgd", 0.5)
    assert config.optim.lr == 0.05  # the recipe's 3e-3 was AdamW's


def test_naming_the_part_that_is_there_already_keeps_its_options():
    assert resolve([TINY, {"optim.name": "adamw"}], "").optim.lr == 3e-3


def test_merging_changes_none_of_the_layers():
    layers = [{"augment": {}, "model": {"name": "a", "x": 1}}, {"augment.gain_db": 3}]
    merge(layers)
    resolve([TINY, {"augment": {}}, {"augment.gain_db": 3.0}], "")
    assert layers == [{"augment": {}, "model": {"name": "a", "x": 1}}, {"augment.gain_db": 3}]


def test_every_fault_is_reported_at_once_with_key_got_and_allowed():
    found = faults(
        {
            "optim.lr": -1,
            "train.epochs": "many",
            "train.precision": "fp64",
            "model.dropout": 1.5,
            "modle.name": "x",
            "schedule.name": "cosin",
        }
    )
    expected = {
        "optim.lr": ("got -1", "more than 0"),
        "train.epochs": ("got 'many'", "whole number"),
        "train.precision": ("got 'fp64'", "'fp32', 'bf16', 'fp16'"),
        "model.dropout": ("got 1.5", "less than 1"),
        "modle": ("unknown key", "Did you mean 'model'?"),
        "schedule.name": ("got 'cosin'", "'onecycle'", "Did you mean 'cosine'?"),
    }
    assert len(found) == len(expected)
    for key, words in expected.items():
        (fault,) = (fault for fault in found if fault.startswith(f"{key}:"))
        assert all(word in fault for word in words), fault


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_an_unknown_key_of_a_part_with_several_names_is_met_with_its_own_keys(name):
    (fault,) = faults({"model": {"name": name, "widht": 8}})
    assert "Did you mean 'width'?" in fault
    assert "channels" not in fault


def test_the_message_names_the_file_and_holds_every_fault():
    with pytest.raises(ConfigError) as raised:
        resolve([TINY, {"seed": -1, "fold": 0}], "a.yaml")
    assert str(raised.value).startswith("a.yaml:")
    assert all(fault in str(raised.value) for fault in raised.value.faults)
    assert len(raised.value.faults) == 2


@pytest.mark.parametrize(
    ("key", "nearest", "sibling", "stranger"),
    [
        ("optim.weight_dekay", "weight_decay", "betas", "nesterov"),
        ("features.n_mel", "n_mels", "hop", "abs_max"),
        ("data.num_source", "num_sources", "difficulty", "words"),
        ("train.batchsize", "batch_size", "epochs", "lr"),
    ],
)
def test_an_unknown_key_deep_in_a_union_names_its_siblings(key, nearest, sibling, stranger):
    (fault,) = faults({key: 1})
    assert fault.startswith(f"{key}: unknown key. Did you mean {nearest!r}?")
    assert sibling in fault.split("Known here:")[1]
    assert stranger not in fault


def test_an_option_of_another_member_of_the_union_is_unknown_here():
    (fault,) = faults({"optim.nesterov": True})
    assert "optim.nesterov: unknown key" in fault


def test_a_part_without_a_name_or_of_another_kind_is_a_fault_and_no_crash():
    (fault,) = faults({"model": "logmel_cnn"})
    assert fault.startswith("model")
    incomplete = {key: value for key, value in TINY.items() if key != "model"}
    with pytest.raises(ConfigError, match="model: missing"):
        resolve([incomplete], "")
    with pytest.raises(ConfigError, match=r"model\.name: missing; allowed: 'logmel_cnn'"):
        resolve([incomplete, {"model.dropout": 0.1}], "")


@pytest.mark.parametrize("text", ["1e-3", "0.001", "1.0e-3", ".001"])
def test_numeric_text_is_accepted_where_a_number_is_declared(text):
    assert resolve([TINY, {"optim.lr": text}], "").optim.lr == 1e-3
    assert resolve([TINY, {"optim.lr": yaml_file.parse(text, "")}], "").optim.lr == 1e-3


def test_yaml_really_reads_scientific_notation_as_text():
    """The trap that the rule above is for; should PyYAML mend it, this says so."""
    assert yaml_file.parse("1e-3", "") == "1e-3"
    assert library.overrides(["optim.lr=1e-3"]) == {"optim.lr": "1e-3"}


@pytest.mark.parametrize("got", [".inf", ".nan", "-.inf"])
def test_numbers_that_are_none_are_refused(got):
    assert len(faults({"optim.lr": yaml_file.parse(got, "")})) == 1


def test_spellings_of_one_configuration_have_one_id():
    spellings = [1e-3, "1e-3", "0.001", "1.0e-3"]
    assert len({id_of({"optim.lr": lr}) for lr in spellings}) == 1
    assert id_of({"train.epochs": 4}) == id_of({"train": {"epochs": "4"}})
    assert id_of({"augment.gain_db": 1}) == id_of({"augment.gain_db": 1.0})
    assert id_of({"model.channels": (8, 8, 8, 8)}) == id_of()


def test_a_default_written_down_does_not_change_the_id_but_another_value_does():
    assert id_of({"train.label_smoothing": 0.0}) == id_of()
    assert id_of({"train.label_smoothing": 0.1}) != id_of()


CHANGES = {
    "augment.crop": "random",
    "augment.gain_db": 1,
    "augment.time_mask": 3,
    "data.difficulty": 0.1,
    "data.duration_s": 0.25,
    "data.sample_rate": 4000,
    "features.n_mels": 8,
    "fold": 2,
    "model.dropout": 0.1,
    "optim.betas": [0.9, 0.99],
    "optim.name": "sgd",
    "sam.rho": 0.05,
    "schedule.name": "cosine",
    "seed": 1,
    "train.batch_size": 4,
    "train.clip_norm": 1,
    "train.epochs": 3,
    "train.precision": "bf16",
    "train.select": "last",
}


def test_any_option_that_can_change_a_result_changes_the_id():
    ids = [id_of(), *(id_of({key: value}) for key, value in CHANGES.items())]
    assert len(set(ids)) == len(ids)


def test_every_part_of_the_configuration_is_in_the_id_but_where_it_runs():
    parts = set(identity_config(resolve([TINY], "")))
    assert parts == set(type(resolve([TINY], "")).model_fields) - {"device"}


def test_another_default_is_another_trial():
    resolved = identity_config(resolve([TINY], ""))
    resolved["train"]["clip_norm"] = 1.0  # as if the default had been changed
    assert trial_id(resolved, "data") != id_of()


def test_other_data_is_another_trial():
    resolved = identity_config(resolve([TINY], ""))
    assert trial_id(resolved, "data") != trial_id(resolved, "other")


def test_where_a_trial_runs_and_its_sounds_lie_does_not_change_the_id():
    esc50 = {"data": {"name": "esc50"}}
    assert id_of({"device": "cpu"}) == id_of({"device": "cuda"})
    assert id_of(esc50, {"data.root": "/here"}) == id_of(esc50, {"data.root": "/there"})


def test_an_id_is_twelve_hex_digits_and_does_not_depend_on_the_order_of_keys():
    resolved = identity_config(resolve([TINY], ""))
    backwards = dict(reversed(resolved.items()))
    assert trial_id(resolved, "data") == trial_id(backwards, "data")
    assert set(id_of()) <= set("0123456789abcdef")
    assert len(id_of()) == 12


def test_ids_made_together_are_those_made_one_by_one():
    resolved = identity_config(resolve([TINY], ""))
    blocks = [{"seed": seed, "fold": fold} for seed in (0, 11) for fold in (1, 2)]
    alone = [trial_id({**resolved, **block}, "data") for block in blocks]
    assert SharedParts().trial_ids(resolved, "data", blocks) == alone
    assert len(set(alone)) == len(blocks)


def test_layers_over_what_was_merged_before_are_as_all_merged_at_once():
    layers = [TINY, {"optim.lr": 1e-3}, {"model": {"name": "logmel_cnn"}}]
    assert merge(layers[2:], merge(layers[:2])) == merge(layers)


@pytest.mark.parametrize("name", sorted(library.available("recipes")))
def test_every_shipped_recipe_resolves(name):
    resolve([library.recipe(name)], name)


@pytest.mark.parametrize("key", ["augment.freq_mask", "augment.time_mask"])
def test_masks_on_raw_audio_have_no_effect_and_are_refused(key):
    raw = {"features.name": "raw"}
    (fault,) = faults(raw, {key: 4})
    assert "no effect on features 'raw'" in fault
    assert "set both to 0, or use features.name=logmel" in fault
    resolve([TINY, raw, {key: 0}], "")


def test_a_configuration_cannot_be_changed():
    config = resolve([TINY], "")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3
    with pytest.raises(ValueError, match="frozen"):
        config.optim.lr = 3


def test_an_override_that_is_no_assignment_is_refused_with_all_its_like():
    with pytest.raises(ConfigError) as raised:
        library.overrides(["optim.lr", "=3", "seed=1"])
    assert [fault.split(";")[0] for fault in raised.value.faults] == ["got 'optim.lr'", "got '=3'"]


def test_values_of_overrides_are_yaml():
    given = ["a=[1, 2]", "b=true", "c=x", "d=", "e={f: 1}", "g=a=b"]
    values = {"a": [1, 2], "b": True, "c": "x", "d": None, "e": {"f": 1}, "g": "a=b"}
    assert library.overrides(given) == values


def test_an_unknown_name_on_the_shelf_suggests_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="Did you mean 'logmel-cnn'"):
        library.recipe("logmel-cn")


def test_a_projects_own_file_replaces_the_shipped_one_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "logmel-cnn.yaml").write_text("seed: 7\n")
    assert library.recipe("logmel-cnn") == {"seed": 7}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a: [1", "not valid YAML"),
        (b"- 1\n", "holds list"),
        (b"", "is empty"),
        (b"a:\n\tb: 1\n", "line 2: a tab begins it"),
        (b"a: 2024-13-01\n", "not valid YAML: month"),
        (b"a: 1\n---\nb: 2\n", "line 2, column 1: .*another document"),
        (b"a: {b: 1}\na: {b: 2}\n", r"a \(line 2\): given before, on line 1; keep one$"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_by_name(tmp_path, content, fault):
    file = tmp_path / "odd.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=fault) as raised:
        yaml_file.read(file)
    assert raised.value.where == str(file)


def test_what_is_dumped_is_read_back(tmp_path):
    file = tmp_path / "a.yaml"
    content = identity_config(resolve([TINY], "")) | {"text": "über 1e-3", "on": True, "none": None}
    file.write_text(yaml_file.dump(content), encoding="utf-8")
    assert yaml_file.read(file) == content
    assert list(yaml_file.read(file)) == list(content)


def test_the_order_in_which_layers_set_different_keys_does_not_matter():
    layers = [{"seed": 3}, {"optim.lr": 0.1}, {"model.dropout": 0.2}]
    ids = {id_of(*order) for order in itertools.permutations(layers)}
    assert len(ids) == 1
