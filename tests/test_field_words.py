"""Keys by the field's words, and the grammar's errors in plain words, whatever is written."""

import pytest

from audiocls import library
from audiocls.config import Config, resolve
from audiocls.design import Ablation, load_ablation
from audiocls.errors import ConfigError
from audiocls.field_words import _MEANINGS, meanings
from audiocls.validation_errors import keys_below

QUESTION = {
    "name": "a",
    "question": "Does it?",
    "recipe": "convnext1d-logmel",
    "factors": {"model.dropout": [0.1]},
}
RECIPE = library.recipe("convnext1d-logmel")
LEAKS = ("Pydantic", "pydantic", "Input should", "instance of", "default factory", "valid ",
    "unable to", "after validation", "validator", "tuple", "dictionary", "Extra inputs",
    "Options", "shipped part", "own part", "[key]", "function-")  # fmt: skip
"""Of pydantic's phrases and of our own classes: nothing that the writer of a file knows."""


def faults_of_recipe(changes, base=RECIPE):
    with pytest.raises(ConfigError) as raised:
        resolve([base, changes], "recipe")
    return raised.value.faults


def faults_of_ablation(changes):
    with pytest.raises(ConfigError) as raised:
        load_ablation({**QUESTION, **changes}, "a.yaml")
    return raised.value.faults


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("mixup", "augment.mixes=[mixup]"),
        ("sam", "sam.rho"),
        ("early_stopping", "train.patience"),
        ("batch", "train.batch_size"),
        ("batch_size", "train.batch_size"),
        ("learning_rate", "optim.lr"),
        ("lr", "optim.lr"),
        ("epochs", "train.epochs"),
        ("dropout", "model.dropout"),
        ("label_smoothing", "train.label_smoothing"),
        ("specaugment", "augment.freq_mask"),
        ("optimizer", "optim.name"),
        ("scheduler", "schedule.name"),
        ("weight_decay", "optim.weight_decay"),
        ("seeds", "seed"),
        ("network", "model.name"),
        ("ema", "averaging.name=ema"),
        ("sample_rate", "data.sample_rate"),
        ("n_mels", "features.n_mels"),
        ("Gradient-Clipping", "train.clip_norm"),
        ("temperature", "distil.temperature"),
        ("pitch", "augment.resample_p=0.5"),
        ("time_stretch", "augment.stretch"),
        ("fp16", "train.precision=fp16"),
        ("groups", "model.groups"),
        ("activation", "model.activation"),
        ("depth", "model.blocks"),
        ("num_workers", "`audiocls sweep launch` takes --workers"),
        ("gpus", "`audiocls sweep launch` takes --devices"),
    ],
)
def test_a_word_of_the_field_is_answered_with_the_key(word, key):
    (fault,) = faults_of_recipe({word: 3})
    assert fault.startswith(f"{word}: ")
    assert key in fault


def test_no_meaning_is_named_twice():
    for word in ("batch_size", "warmup", "freq_mask"):
        assert len(set(meanings(word))) == len(meanings(word))


def test_a_word_in_the_wrong_section_is_answered_too():
    (fault,) = faults_of_recipe({"train.lr": 0.1})
    assert "Here it is optim.lr" in fault
    (fault,) = faults_of_recipe({"optim.learning_rate": 0.1})
    assert "Did you mean 'lr'?" in fault or "optim.lr" in fault


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("mixup", "augment.mixes=[mixup] of the recipe: set it in `factors`"),
        ("sam", "sam.rho"),
        ("lr", "optim.lr of the recipe"),
        ("seeds", "Here it is blocks.seed"),
        ("folds", "Here it is blocks.fold"),
        ("parameters", "Here it is factors"),
        ("alpha", "Here it is stats.alpha"),
        ("metrics", "Here it is secondary"),
    ],
)
def test_an_ablation_answers_words_of_its_own_and_of_the_recipe(word, told):
    (fault,) = faults_of_ablation({word: True})
    assert told in fault


def test_every_meaning_is_a_key_that_some_recipe_or_ablation_has():
    data = {"pretraining": {"data": {"name": "esc50"}}, "optim": {"name": "sgd"}}
    given = [
        data,
        {"schedule": {"name": "cosine"}},
        {"features": {"name": "logmel"}, "model": {"name": "convnext1d"}},
        {"model": {"name": "resnet18"}},
        *({"model": {"name": name}} for name in ("kws", "eat", "efficientnet_b0", "hifigan")),
        *({"model": {"name": name}} for name in ("convnext_tiny", "mlp", "convnext1d_causal")),
        {"data": {"name": "folder"}},
    ]
    known = {key for each in given for key in keys_below(Config, each)}
    known |= set(keys_below(Ablation, {}))
    assert {meaning.partition("=")[0] for meaning in _MEANINGS} <= known
    values = [meaning for meaning in _MEANINGS if "=" in meaning]
    needed = {"freeze=true": {"init_from": "a.safetensors"}, "sam.adaptive=true": {"sam.rho": 0.1}}
    for meaning in values:
        changes = {**library.overrides([meaning]), **needed.get(meaning, {})}
        assert resolve([RECIPE, changes], meaning)


def test_a_word_means_the_same_however_it_is_spelled():
    assert meanings("LearningRate") == meanings("learning-rate") == meanings("learning rate")


WRONG = ["word", 3, -1.5, True, None, [], [[]], {}, {"x": 1}, {"name": 3}, {"name": "x"}]


def checked(faults):
    for fault in faults:
        assert not [phrase for phrase in LEAKS if phrase in fault], fault
        assert "(whole)" not in fault


def attempt(read, *given):
    try:
        read(*given)
    except ConfigError as error:
        checked(error.faults)


@pytest.mark.parametrize("key", list(keys_below(Config, RECIPE)))
def test_no_key_of_a_recipe_answers_in_words_of_the_library(key):
    for value in WRONG:
        attempt(lambda value=value: resolve([RECIPE, {key: value}], "recipe"))
    attempt(lambda: resolve([RECIPE, {f"{key}x": 1}], "recipe"))
    attempt(lambda: resolve([RECIPE, {f"{key}.x": 1}], "recipe"))


@pytest.mark.parametrize("section", RECIPE)
def test_a_missing_section_is_said_to_be_missing_or_has_a_default(section):
    rest = {key: value for key, value in RECIPE.items() if key != section}
    attempt(lambda: resolve([rest], "recipe"))


@pytest.mark.parametrize("key", Ablation.model_fields)
def test_no_key_of_an_ablation_answers_in_words_of_the_library(key):
    for value in WRONG:
        attempt(lambda value=value: load_ablation({**QUESTION, key: value}, "a.yaml"))
        attempt(lambda value=value: load_ablation({**QUESTION, key: [value]}, "a.yaml"))
        attempt(lambda value=value: load_ablation({**QUESTION, key: {"x": value}}, "a.yaml"))
    attempt(lambda: load_ablation({**QUESTION, f"{key}x": 1}, "a.yaml"))
    rest = {each: value for each, value in QUESTION.items() if each != key}
    attempt(lambda: load_ablation(rest, "a.yaml"))


@pytest.mark.parametrize("section", ["blocks", "metric", "stats", "budget", "block_keys"])
def test_no_section_of_an_ablation_answers_in_words_of_the_library(section):
    for key in keys_below(Ablation, {}):
        name = key.removeprefix(f"{section}.")
        for value in WRONG if name != key else ():
            attempt(lambda n=name, v=value: load_ablation({**QUESTION, section: {n: v}}, "a.yaml"))


@pytest.mark.parametrize("name", [3, True, ["x"], {"x": 1}])
def test_a_wrong_name_of_the_metric_is_one_fault_and_says_nothing_of_the_goal(name):
    (fault,) = faults_of_ablation({"metric": {"name": name}})
    assert fault.startswith("metric.name: got ")
    assert fault.endswith("wanted: a text")


def test_a_part_written_as_its_name_is_told_how():
    (fault,) = faults_of_recipe({"optim": "sgd"})
    assert fault.startswith("optim: got 'sgd'; wanted: optim.name=sgd")


def test_a_section_switched_on_by_a_word_is_told_its_key():
    (fault,) = faults_of_recipe({"sam": True})
    assert "such as sam.rho=0.05" in fault
