"""Parts of one's own, by import string: read, checked and identified without being run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers.own_parts import write_package
from helpers.recipes import TINY

from audiocls.config import Config, identity_config, resolve, trial_id
from audiocls.design import load_ablation
from audiocls.errors import ConfigError
from audiocls.parts import KEPT, own_parts
from audiocls.parts.names import advice, import_strings, with_names
from audiocls.parts.signature import signature_of

NET = "my_pkg.nets:MyNet"
EVERY_KIND = {
    "model.name": NET,
    "features.name": "my_pkg.front:Energies",
    "data.name": "my_pkg.data:tones",
    "augment.transforms": ["amp", {"name": "my_pkg.aug:quieter", "least": 0.2}],
    "augment.mixes": ["my_pkg.aug:halves"],
    "optim": {"name": "my_pkg.optim:SignSGD", "lr": 1e-3, "weight_decay": 0.1},
    "schedule": {"name": "my_pkg.optim:falling", "end": 0.5},
    "train.loss": "my_pkg.losses:tempered",
    "train.metrics": ["my_pkg.metrics:hits"],
}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_package(tmp_path)


def config(**changes: Any) -> Config:
    return resolve([TINY, {key.replace("__", "."): value for key, value in changes.items()}], "r")


def faults(*layers: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve([TINY, *layers], "r")
    return "\n".join(caught.value.faults)


def test_every_kind_of_part_may_be_ones_own():
    found = dict(own_parts(resolve([TINY, EVERY_KIND], "r")))
    assert {key.split(".")[0] for key in found} == {key.split(".")[0] for key in EVERY_KIND}
    assert len(found) == len(EVERY_KIND)
    assert all(part.code for part in found.values())


def test_planning_imports_neither_torch_nor_the_users_module(tmp_path):
    (tmp_path / "my_pkg/__init__.py").write_text("raise RuntimeError('imported')\n")
    program = (
        "import sys, json\n"
        "from audiocls.config import resolve\n"
        "resolve(json.loads(sys.argv[1]), 'r')\n"
        "assert not {'torch', 'my_pkg', 'my_pkg.nets'} & set(sys.modules), sys.modules.keys()\n"
    )
    words = [sys.executable, "-c", program, json.dumps([TINY, EVERY_KIND])]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def identity(**changes: Any) -> str:
    return trial_id(identity_config(config(model__name=NET, **changes)), "data")


def test_an_edit_is_another_trial_and_undoing_it_the_same_again(package):
    before, text = identity(), (package / "nets.py").read_text()
    (package / "nets.py").write_text(text.replace("mean(2)", "amax(2)"))
    assert identity() != before
    (package / "nets.py").write_text("# why\n" + text)
    assert identity() == before


def test_so_is_an_edit_of_what_the_module_imports_and_of_the_packages_around_it(package):
    seen = {identity()}
    for name in ("layers.py", "__init__.py"):
        (package / name).write_text((package / name).read_text() + "\nX = 1\n")
        seen.add(identity())
    assert len(seen) == 3
    (package / "aug.py").write_text("X = 1\n")  # not imported by the net
    assert len({identity(), *seen}) == 3


def test_options_are_in_the_identity_and_a_place_is_not(tmp_path, monkeypatch):
    before = identity()
    assert identity(model__width=16) != before
    other = tmp_path / "elsewhere"
    write_package(other)
    monkeypatch.chdir(other)
    assert identity() == before


def test_a_shipped_recipe_has_the_id_that_it_had():
    """No key was added for those who name no part of their own."""
    assert identity_config(config())["train"].keys() == {
        "epochs", "batch_size", "accumulate", "balanced", "loss", "focal_gamma",
        "label_smoothing", "clip_norm", "precision", "select", "patience",
    }  # fmt: skip


def test_hydras_key_is_read_and_a_line_says_how_it_is_spelled_here():
    given = {"model._target_": "my_pkg.nets.MyNet", "model.width": 4}
    assert resolve([TINY, given], "r").model == config(model__name=NET, model__width=4).model
    nested = {"augment": {"transforms": [{"_target_": "my_pkg.aug.quieter", "least": 0.1}]}}
    assert "my_pkg.aug:quieter" in str(resolve([TINY, nested], "r").augment.transforms)
    assert advice(given, nested) == [
        f"_target_: {dotted} is read as name: {name!r}; write it so"
        for dotted, name in (
            ("my_pkg.nets.MyNet", NET),
            ("my_pkg.aug.quieter", "my_pkg.aug:quieter"),
        )
    ]
    assert import_strings(given, nested) == {NET, "my_pkg.aug:quieter"}


def test_another_name_drops_the_options_of_the_old_part():
    both = resolve([TINY, {"model.name": NET, "model.width": 4}, {"model.name": "kws"}], "r")
    assert both.model.name == "kws"
    loss = {"train.loss": {"name": "my_pkg.losses:tempered", "temperature": 2.0}}
    assert resolve([TINY, loss, {"train.loss": "focal"}], "r").train.loss == "focal"


WRONG = {
    "no module": ({"model.name": "my_net.nets:MyNet"}, "no module 'my_net' on the path or in"),
    "no module in a package": (
        {"model.name": "my_pkg.nest:MyNet"},
        "no module 'my_pkg.nest' on the path or in",
    ),
    "no attribute": ({"model.name": "my_pkg.nets:MyNett"}, "no 'MyNett'. Did you mean 'MyNet'?"),
    "no colon": ({"model.name": "my_pkg.nets.MyNet"}, f"A part of your own: {NET!r}"),
    "a path": ({"model.name": "./nets.py:MyNet"}, "goes by its name and not by its path"),
    "relative": ({"model.name": ".nets:MyNet"}, "goes by its name and not by its path"),
    "two attributes": ({"model.name": "my_pkg.nets:A.b"}, "wanted: \"package.module:attribute\""),
    "the standard library": ({"model.name": "os:system"}, "os is a module of Python's standard"),
    "builtins": ({"model.name": "builtins:eval"}, "builtins is a module of Python's standard"),
    "unknown option": (
        {"model.name": NET, "model.widht": 4},
        "widht: unknown option. Did you mean 'width'? Known here: width, dropout",
    ),
    "wrong type": (
        {"model.name": NET, "model.width": "wide"},
        "width: got 'wide'; wanted: a whole number",
    ),
    "a share for a count": ({"model.name": NET, "model.width": 0.5}, "width: got 0.5; "),
    "missing option": ({"data.name": "my_pkg.data:write"}, "hz: missing, and it has no default"),
    "too few": (
        {"train.loss": "my_pkg.bad:few"},
        "takes 1 parameters; it is called (logits, targets)",
    ),
    "another call": (
        {"model.name": "my_pkg.front:Energies"},
        "takes no in_channels or in_shape, which every model is called with",
    ),
    "an unknown plugin": ({"model.name": "passt"}, "model.name: got 'passt'; allowed: "),
    "in a list": ({"augment.transforms": ["my_pkg.aug:loud"]}, "augment.transforms.0: my_pkg.aug "),
    "loss": ({"train.loss": "my_pkg.losses:tempred"}, "train.loss: my_pkg.losses has no 'tempred'"),
    "rates below 0": ({"optim": {"name": "my_pkg.optim:SignSGD", "lr": -1}}, "optim.lr: got -1"),
    "metric": ({"train.metrics": ["my_pkg.data:write", "my_pkg.nets:map"]}, "has no 'map'"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_before_anything_is_run(given, sentence):
    assert sentence in faults(given)


def test_a_package_without_init_and_a_file_that_is_no_python_are_named(tmp_path):
    (tmp_path / "bare/inner").mkdir(parents=True)
    (tmp_path / "odd.py").write_text("def part(:\n")
    assert "bare is a folder without __init__.py" in faults({"model.name": "bare:Net"})
    assert "odd.py, line 1" in faults({"model.name": "odd:part"})


def test_signatures_are_followed_where_a_package_imports_them_from(package):
    (package / "__init__.py").write_text("from .nets import MyNet as Net\nfrom . import layers\n")
    assert signature_of("my_pkg:Net").names == ["in_channels", "num_classes", "width", "dropout"]
    assert "widht: unknown option" in faults({"model.name": "my_pkg:Net", "model.widht": 1})


SIGNATURES = {
    "plain": ("def part(in_channels, num_classes, a, b=1): ...", ["a: missing"]),
    "keywords": ("def part(in_channels, num_classes, *, a: int = 1, **more): ...", []),
    "decorated": ("@f\ndef part(x): ...", []),
    "assigned": ("part = f(1)", []),
    "dataclass": ("@dataclass\nclass part:\n in_channels: int\n num_classes: int\n a: str", ["a:"]),
    "inherited": ("class part(Base): ...", []),
    "typed by words": (
        "def part(in_channels, num_classes, a: \"Literal['x', 'y'] | None\" = None): ...",
        [],
    ),
    "typed by what is unknown": ("def part(in_channels, num_classes, a: np.ndarray = 0): ...", []),
}


@pytest.mark.parametrize(("source", "expected"), SIGNATURES.values(), ids=SIGNATURES.keys())
def test_nothing_is_claimed_that_the_source_does_not_tell(tmp_path, source, expected):
    (tmp_path / "other.py").write_text(source + "\n")
    if expected:
        assert expected[0] in faults({"model.name": "other:part"})
    else:
        assert resolve([TINY, {"model.name": "other:part"}], "r").model.name == "other:part"


def test_annotations_decide_what_options_may_be(tmp_path):
    source = (
        "def part(in_channels, num_classes, a: tuple[int, int] = (1, 1), b: 'float' = 0.1): ..."
    )
    (tmp_path / "typed.py").write_text(source)
    part = {"model.name": "typed:part"}
    resolve([TINY, {**part, "model.a": [3, 5], "model.b": 1}], "r")
    assert "a: got [3]; " in faults({**part, "model.a": [3]})
    assert "b: got True; " in faults({**part, "model.b": True})


def test_a_stored_configuration_is_read_without_the_module(package):
    stored = identity_config(resolve([TINY, EVERY_KIND], "r"))
    for file in package.iterdir():
        file.unlink()
    package.rmdir()
    assert identity_config(resolve([stored], "r", KEPT)) == stored


def ablation(**given: Any) -> Any:
    return load_ablation({"name": "a", "question": "?", "recipe": "r", **given}, "a.yaml")


def test_an_ablation_may_be_decided_by_ones_own_metric():
    own = {"name": "my_pkg.metrics:certainty", "goal": "maximize", "options": {"scale": 2.0}}
    hits = {"name": "my_pkg.metrics:hits", "goal": "maximize", "margin": 0.02}
    made = ablation(factors={"model.dropout": [0.1]}, metric=own, secondary=[hits])
    assert made.metric.recorded == "test/certainty"
    assert made.base()["train.metrics"] == [
        {"name": own["name"], "scale": 2.0},
        {"name": hits["name"]},
    ]


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ({"name": "my_pkg.metrics:hits"}, "goal: missing; say whether my_pkg.metrics:hits is to"),
        ({"name": "os:getpid", "goal": "minimize"}, "os is a module of Python's standard library"),
        ({"name": "test/acuracy"}, "Did you mean 'test/accuracy'?"),
        ({"name": "test/map", "options": {"k": 1}}, "options: test/map has none"),
    ],
)
def test_what_is_no_metric_is_refused(metric, sentence):
    with pytest.raises(ConfigError) as caught:
        ablation(factors={"model.dropout": [0.1]}, metric=metric)
    assert sentence in str(caught.value)


def test_two_metrics_of_one_name_are_refused():
    assert "two are called hits" in faults({"train.metrics": ["my_pkg.metrics:hits"] * 2})


def test_the_schema_for_editors_admits_own_names_and_still_finds_a_typo():
    schema = Config.model_json_schema()
    recipe = {**TINY, "augment": {"transforms": ["amp", "my_pkg.aug:quieter"]}}
    own = {"model": {"name": NET, "width": 4}, "train": {"metrics": ["my_pkg.metrics:hits"]}}
    jsonschema.validate(recipe, schema)
    jsonschema.validate({**recipe, **own}, schema)
    for wrong in ({"model": {"name": "kws", "widht": 1}}, {"augment": {"transforms": ["am"]}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**recipe, **wrong}, schema)


@pytest.mark.parametrize("key", [None, 3, 1.5, True])
def test_a_key_of_yaml_that_is_no_text_is_a_fault_and_no_crash(key):
    with pytest.raises(ConfigError):
        config(augment__transforms=[{key: None}])
    assert with_names({"model.kernels": [{key: 1}]}) == {"model.kernels": [{key: 1}]}
