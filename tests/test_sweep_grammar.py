"""W&B's grammar of sweeps: our verdict against that of its own package, and what we say of it."""

import copy
import json
import random
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from audiocls import yaml_file
from audiocls.errors import ConfigError
from audiocls.search import (
    Categorical,
    Constant,
    Hyperband,
    Metric,
    Nested,
    Numeric,
    Sweep,
    check_sweep,
    load_sweep,
)
from audiocls.search.check.forms import FORMS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # written for an older pydantic
    from sweeps.config.schema import sweep_config_jsonschema as schema

    import sweeps as oracle

SHIPPED = sorted((Path(__file__).parents[1] / "sweeps").glob("*.yaml"))
GRID = {"a": {"values": [1, 2]}}
LOSS = {"name": "loss"}
HYPERBAND = {"type": "hyperband", "min_iter": 3}
OPTUNA = {"engine": "optuna", "source": "s.py", "search_space": "space"}


def grid(**more: Any) -> dict[str, Any]:
    return {"method": "grid", "parameters": GRID, **more}


def one(method: str = "random", **parameter: Any) -> dict[str, Any]:
    """A sweep of a single parameter."""
    more = {"metric": LOSS} if method == "bayes" else {}
    return {"method": method, "parameters": {"p": parameter}, **more}


def drawn(distribution: str, **keys: Any) -> dict[str, Any]:
    return one(distribution=distribution, **keys)


def nested(**parameter: Any) -> dict[str, Any]:
    return one(parameters={"p": parameter})


def is_violation(document: Any) -> bool:
    """W&B's verdict; an engine that raises on a document has no use for it either."""
    try:
        return bool(oracle.schema_violations_from_proposed_config(copy.deepcopy(document)))
    except Exception:  # it raises whatever its code happens to
        return True


VALID = {
    "grid": grid(),
    "random": one(min=1, max=2),
    "bayes": one("bayes", min=0.0, max=1.0),
    "custom": {"method": "custom", "parameters": GRID},
    "metric, whole": grid(
        metric={
            "name": "a/b",
            "goal": "maximize",
            "target": 0.9,
            "impute": "latest",
            "impute_while_running": "best",
        }
    ),
    "metric, imputing nothing": grid(metric={"name": "a", "impute_while_running": "false"}),
    "metrics": {"method": "custom", "parameters": GRID, "metrics": [LOSS, {"name": "b"}]},
    "bands upwards": grid(metric=LOSS, early_terminate=HYPERBAND),
    "bands downwards": grid(
        metric=LOSS,
        early_terminate={"type": "hyperband", "max_iter": 27, "s": 2, "eta": 2.5, "strict": False},
    ),
    "cap": grid(run_cap=5),
    "cap with a point": grid(run_cap=5.0),
    "command": grid(command=["${env}", "python", "a.py", "${args}", 3, True, 0.5]),
    "command, empty": grid(command=[]),
    "texts": grid(program="a.py", name="n", description="d", entity="e", project="p"),
    "launch": grid(job="j", image_uri="i"),
    "version": grid(apiVersion="1", kind="sweep"),
    "controller": grid(controller={"type": "local", "whatever": 1}),
    "scheduler of W&B": grid(scheduler={"engine": "wandb"}),
    "scheduler": {"method": "custom", "parameters": GRID, "scheduler": OPTUNA},
    "scheduler with a space": {"method": "custom", "scheduler": OPTUNA},
    "scheduler, ax": {"method": "custom", "parameters": GRID, "scheduler": {"engine": "ax"}},
    "constant": one(value=3),
    "constant nothing": one(value=None),
    "constant mapping": one(value={"a": [1]}),
    "constant by name": one(value=3, distribution="constant"),
    "values of all kinds": one(values=[1, 2.5, "a", None, True, [1, 2], {"b": 1}]),
    "values by name": one(values=[1], distribution="categorical"),
    "shares": one(values=[1, 2], probabilities=[0.25, 0.75]),
    "shares by name": one(
        values=[1, 2], probabilities=[0, 1], distribution="categorical_w_probabilities"
    ),
    "integers": one(min=-3, max=5),
    "integers by name": drawn("int_uniform", min=-3, max=5),
    "floats": one(min=-0.5, max=1.5),
    "floats, bounds mixed": one(min=1, max=2.0),
    "floats, bounds mixed in reverse": one(min=1.0, max=2),
    "floats by name, bounds mixed": drawn("uniform", min=0, max=1.5),
    "floats by name, bounds integers": drawn("uniform", min=0, max=2),
    "steps": drawn("q_uniform", min=0, max=1, q=0.1),
    "steps by default": drawn("q_uniform", min=0, max=10),
    "logarithms": drawn("log_uniform_values", min=1e-4, max=1),
    "inverse logarithms": drawn("inv_log_uniform_values", min=1e-4, max=1),
    "steps of logarithms": drawn("q_log_uniform_values", min=1, max=100, q=2),
    "normal": drawn("normal", mu=-1, sigma=0.5),
    "normal by default": drawn("normal"),
    "steps of a normal": drawn("q_normal", mu=1, sigma=2, q=1),
    "log-normal": drawn("log_normal", mu=-1, sigma=0.5),
    "steps of a log-normal": drawn("q_log_normal", q=0.5),
    "beta": drawn("beta", a=2, b=0.5),
    "steps of a beta": drawn("q_beta", a=2, b=2, q=0.1),
    "nested": nested(values=[1, 2]),
    "nested twice": one(parameters={"b": {"parameters": {"c": {"min": 1, "max": 2}}}}),
    "nested range in a grid": {**nested(min=1, max=2), "method": "grid"},
    "nested range in bayes": {**nested(min=0.5, max=2.5), "method": "bayes", "metric": LOSS},
    "nested exponents": nested(distribution="log_uniform", min=-3, max=0),
    "names": grid(parameters={"a.b-c_D9": {"value": 1}, "_x": {"value": 2}}),
}

INVALID = {
    "no method": {"parameters": GRID},
    "unknown method": grid(method="gird"),
    "method in capitals": grid(method="Grid"),
    "no parameters": {"method": "grid"},
    "parameters nothing": {"method": "grid", "parameters": None},
    "parameters empty": {"method": "grid", "parameters": {}},
    "parameters a list": {"method": "grid", "parameters": [1]},
    "unknown key": grid(metirc=LOSS),
    "settings of the client": grid(settings={"a": 1}),
    "metric nothing": grid(metric=None),
    "metric without a name": grid(metric={"goal": "minimize"}),
    "metric's name a number": grid(metric={"name": 3}),
    "metric's goal": grid(metric={"name": "a", "goal": "max"}),
    "metric's target": grid(metric={"name": "a", "target": "high"}),
    "metric's impute": grid(metric={"name": "a", "impute": "mean"}),
    "metric's false": grid(metric={"name": "a", "impute_while_running": False}),
    "metric's unknown key": grid(metric={"name": "a", "direction": "up"}),
    "metrics, one": {"method": "custom", "parameters": GRID, "metrics": [LOSS]},
    "metrics, faulty": {"method": "custom", "parameters": GRID, "metrics": [LOSS, {"goal": "up"}]},
    "metrics in a grid": grid(metrics=[LOSS, LOSS]),
    "metrics and metric": {
        "method": "custom",
        "parameters": GRID,
        "metric": LOSS,
        "metrics": [LOSS, LOSS],
    },
    "early_terminate a text": grid(metric=LOSS, early_terminate="hyperband"),
    "early_terminate without a type": grid(metric=LOSS, early_terminate={"min_iter": 3}),
    "another stop rule": grid(metric=LOSS, early_terminate={"type": "median", "min_iter": 3}),
    "no bands": grid(metric=LOSS, early_terminate={"type": "hyperband"}),
    "max_iter alone": grid(metric=LOSS, early_terminate={"type": "hyperband", "max_iter": 9}),
    "min_iter 0": grid(metric=LOSS, early_terminate={**HYPERBAND, "min_iter": 0}),
    "eta 1": grid(metric=LOSS, early_terminate={**HYPERBAND, "eta": 1}),
    "strict a number": grid(metric=LOSS, early_terminate={**HYPERBAND, "strict": 1}),
    "stop rule's unknown key": grid(metric=LOSS, early_terminate={**HYPERBAND, "max_iters": 1}),
    "cap 0": grid(run_cap=0),
    "cap 2.5": grid(run_cap=2.5),
    "cap true": grid(run_cap=True),
    "command a text": grid(command="python a.py ${args}"),
    "name a number": grid(name=3),
    "program nothing": grid(program=None),
    "version a number": grid(apiVersion=1),
    "kind": grid(kind="ablation"),
    "controller without a type": grid(controller={}),
    "controller's type": grid(controller={"type": "mine"}),
    "scheduler a text": {"method": "custom", "parameters": GRID, "scheduler": "optuna"},
    "scheduler nothing": {"method": "custom", "parameters": GRID, "scheduler": None},
    "scheduler without an engine": {"method": "custom", "parameters": GRID, "scheduler": {}},
    "scheduler's engine": grid(scheduler={"engine": "hyperopt"}),
    "scheduler's method": grid(scheduler={"engine": "optuna"}),
    "scheduler of W&B, custom": {
        "method": "custom",
        "parameters": GRID,
        "scheduler": {"engine": "wandb"},
    },
    "scheduler without a source": {
        "method": "custom",
        "parameters": GRID,
        "scheduler": {"engine": "ax", "optimizer": "make"},
    },
    "scheduler's unknown key": grid(scheduler={"engine": "wandb", "file": "a"}),
    "scheduler and stop rule": grid(
        metric=LOSS, early_terminate=HYPERBAND, scheduler={"engine": "wandb"}
    ),
    "scheduler and local controller": grid(
        controller={"type": "local"}, scheduler={"engine": "wandb"}
    ),
    "parameter a number": {"method": "grid", "parameters": {"a": 3}},
    "parameter empty": one(),
    "parameter's name": {"method": "grid", "parameters": {"9a": {"value": 1}}},
    "parameter's name with a space": {"method": "grid", "parameters": {"a b": {"value": 1}}},
    "value and values": one(value=1, values=[1]),
    "values empty": one(values=[]),
    "values a number": one(values=3),
    "values and bounds": one(values=[1], min=1),
    "values of a range": drawn("uniform", values=[1, 2]),
    "shares too few": one(values=[1, 2], probabilities=[1]),
    "shares below 0": one(values=[1, 2], probabilities=[-0.5, 1.5]),
    "shares sum to 0.9": one(values=[1, 2], probabilities=[0.4, 0.5]),
    "shares alone": one(probabilities=[1]),
    "shares of a plain choice": one(values=[1], probabilities=[1], distribution="categorical"),
    "shares missing": drawn("categorical_w_probabilities", values=[1]),
    "min alone": one(min=1),
    "max alone": one(max=1.0),
    "min text": one(min="low", max=1),
    "min true": one(min=True, max=2),
    "min above max": one(min=3, max=1),
    "min is max": one(min=1.0, max=1.0),
    "unknown distribution": drawn("gauss", mu=0),
    "distribution nothing": one(distribution=None, min=1, max=2),
    "integers with a point": drawn("int_uniform", min=1.0, max=2.0),
    "q of a range": one(min=1, max=9, q=2),
    "q 0": drawn("q_uniform", min=0, max=1, q=0),
    "logarithm of 0": drawn("log_uniform_values", min=0, max=1),
    "exponents' bounds missing": drawn("q_log_uniform", min=0),
    "normal unnamed": one(mu=0, sigma=1),
    "normal with bounds": drawn("normal", min=0, max=1),
    "sigma below 0": drawn("log_normal", sigma=-1),
    "beta unnamed": one(a=1, b=1),
    "beta's a below 0": drawn("beta", a=-1),
    "mu of a beta": drawn("q_beta", mu=1),
    "nested without its key": one(lr={"min": 1, "max": 2}),
    "nested and more": one(parameters={"a": {"value": 1}}, distribution="constant"),
    "nested empty": one(parameters={}),
    "nested fault": nested(value=1, values=[2]),
    "nested unknown distribution": nested(distribution="gauss"),
}

W_AND_B_WARNS, ENGINE_FAILS, TEXT = (
    "W&B calls the exponents deprecated, at top level only, and draws from them all the same",
    "no violation, but W&B's engine raises on it or draws what is no number",
    "text where a number is declared: a violation, accepted and noted here, as YAML made it so",
)
DIFFERENCES = {
    "exponents": (drawn("log_uniform", min=-3, max=0), W_AND_B_WARNS),
    "inverse exponents": (drawn("inv_log_uniform", min=0, max=3.5), W_AND_B_WARNS),
    "steps of exponents": (drawn("q_log_uniform", min=0, max=3, q=1), W_AND_B_WARNS),
    "text bounds": (one(min="1e-4", max="1e-1"), TEXT),
    "text moments": (drawn("normal", mu="1e-1"), TEXT),
    "text target": (grid(metric={"name": "a", "target": "9e-1"}), TEXT),
    "bayes without a metric": ({"method": "bayes", "parameters": GRID}, ENGINE_FAILS),
    "bayes over constants": (one("bayes", value=1), ENGINE_FAILS),
    "stop rule without a metric": (grid(early_terminate=HYPERBAND), ENGINE_FAILS),
    "grid over a range": (one("grid", min=0.0, max=1.0), ENGINE_FAILS),
    "grid over shares": (one("grid", values=[1, 2], probabilities=[0.5, 0.5]), ENGINE_FAILS),
    "grid over a nested normal": (
        {**nested(distribution="normal"), "method": "grid"},
        ENGINE_FAILS,
    ),
    "nested min above max": (nested(min=3, max=1), ENGINE_FAILS),
    "nested shares sum to 2": (nested(values=[1, 2], probabilities=[1, 1]), "checked at top only"),
    "nested shares too few": (nested(values=[1, 2], probabilities=[1]), "checked at top only"),
    "name that YAML reads as true": (grid(parameters={True: {"value": 1}}), ENGINE_FAILS),
    "sigma 0": (drawn("normal", sigma=0), ENGINE_FAILS),
    "beta's a 0": (drawn("beta", a=0), ENGINE_FAILS),
    "endless": (one(min=0.0, max=float("inf")), ENGINE_FAILS),
    "exponents beyond floats": (
        nested(distribution="log_uniform", min=800, max=1000),
        ENGINE_FAILS,
    ),
    "no band of 1": (
        grid(metric=LOSS, early_terminate={"type": "hyperband", "max_iter": 2, "s": 2}),
        ENGINE_FAILS,
    ),
    "max_iter without s": (
        grid(metric=LOSS, early_terminate={**HYPERBAND, "max_iter": 9}),
        ENGINE_FAILS,
    ),
    "integers beyond JSON's": (one(min=0, max=2**53), "no violation; numbers that JSON confuses"),
    "steps beyond JSON's": (
        drawn("q_uniform", min=0, max=1e18, q=1),
        "no violation; a grid that no engine can hold, steps that floats confuse",
    ),
    "half a band": (
        grid(metric=LOSS, early_terminate={"type": "hyperband", "max_iter": 9, "s": 1.5}),
        ENGINE_FAILS,
    ),
}


@pytest.mark.parametrize("name", VALID)
def test_what_wandb_takes_is_taken(name):
    assert not is_violation(VALID[name])
    assert check_sweep(VALID[name]).faults == ()
    assert isinstance(load_sweep(VALID[name], "a.yaml"), Sweep)


@pytest.mark.parametrize("name", INVALID)
def test_what_wandb_calls_a_violation_is_a_fault(name):
    assert is_violation(INVALID[name])
    with pytest.raises(ConfigError) as raised:
        load_sweep(INVALID[name], "a.yaml")
    assert tuple(raised.value.faults) == check_sweep(INVALID[name]).faults


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_verdicts_differ_where_they_are_said_to(name):
    document, _ = DIFFERENCES[name]
    assert is_violation(document) != bool(check_sweep(document).faults)


@pytest.mark.parametrize("name", [n for n, (_, why) in DIFFERENCES.items() if why == ENGINE_FAILS])
def test_where_wandb_is_said_to_fail_it_does(name):
    document = DIFFERENCES[name][0]
    assert not is_violation(document)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert fails_in_the_engine(document)


def fails_in_the_engine(document: dict[str, Any]) -> bool:
    """Whether W&B's own engine raises on it, or proposes what is not finite."""
    running = oracle.SweepRun(state="running", history=[{"loss": 1.0}])
    try:
        if "early_terminate" in document:
            oracle.stop_runs(document, [running])
        text = json.dumps(oracle.next_run(document, []).config)
    except (ValueError, TypeError, KeyError, AssertionError):
        return True
    return "NaN" in text or "Infinity" in text


@pytest.mark.parametrize("name", [n for n, (_, why) in DIFFERENCES.items() if "sweep`" in why])
def test_where_its_client_is_said_to_refuse_it_does(name):
    from wandb.apis.public import sweeps as client  # noqa: TID251  (asked for its own verdict)

    with pytest.raises(ValueError, match="ambiguous"):
        client._validate_config_and_fill_distribution(DIFFERENCES[name][0])


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_sweep_of_the_shelf_is_without_fault_or_note(file):
    document, lines = yaml_file.read_with_lines(file)
    assert not is_violation(document)
    checked = check_sweep(document, lines)
    assert (checked.faults, checked.notes) == ((), ())


def definition_of(distribution: str) -> list[dict[str, Any]]:
    """What W&B's schema says of one distribution."""
    alternatives = [
        each
        for definition in schema["definitions"].values()
        for each in definition.get("anyOf", [definition])
        if "properties" in each
    ]
    named = [each for each in alternatives if "distribution" in each["properties"]]
    return [each for each in named if each["properties"]["distribution"]["enum"] == [distribution]]


def test_the_distributions_are_those_of_wandb():
    known = {
        name
        for found in re.findall(r'"enum": \[([^]]*)\]', json.dumps(schema))
        for name in re.findall(r'"(\w+)"', found)
        if definition_of(name)
    }
    assert set(FORMS) == known


@pytest.mark.parametrize("distribution", FORMS)
def test_a_distribution_takes_and_needs_what_it_does_in_wandb(distribution):
    form = FORMS[distribution]
    for definition in definition_of(distribution):
        assert {*form.keys, "distribution"} == set(definition["properties"])
        assert set(form.required) == set(definition["required"]) - {"distribution"}


ODD = (None, True, "x", "grid", [], [1, 2], {}, {"value": 1}, -1, 0, 2, 2.5, 3.0)
OWN_CHECKS = (
    "no grid can walk",
    "constants alone",
    "bayes needs it",
    "early_terminate needs it",
    "which W&B's client refuses",
    "allowed: a min below the max",  # nested
    "allowed: one for each",  # nested
    "a sum of",  # nested
    r"(sigma|a|b): got 0; allowed: a number above 0",
    r"early_terminate\.(max_iter|s): got .*; allowed: a whole number of at least 1",
    r"early_terminate\.s: missing",
    "no band of at least 1",
    "a number from 0 to 1",
)


def mappings_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if is_list(value) else ():
        yield from mappings_in(inner)


def is_list(value: Any) -> bool:
    return isinstance(value, list)


def spoilt(document: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one key of one of its mappings gone, foreign or odd."""
    copied = copy.deepcopy(dict(document))
    mapping = rng.choice([each for each in mappings_in(copied) if each])
    name = rng.choice(list(mapping))
    match rng.randrange(3):
        case 0:
            del mapping[name]
        case 1:
            mapping[name] = copy.deepcopy(rng.choice(ODD))
        case 2:
            foreign = rng.choice(["q", "min", "value", "values", "distribution", "goal", "s"])
            mapping[foreign] = copy.deepcopy(rng.choice(ODD))
    return copied


@pytest.mark.parametrize("seed", range(10))
def test_a_spoilt_sweep_gets_wandbs_verdict_or_one_of_our_own_reasons(seed):
    rng = random.Random(seed)
    for _ in range(100):
        document = spoilt(rng.choice(list(VALID.values())), rng)
        faults = check_sweep(document).faults
        if is_violation(document):
            assert faults or "exponents" in str(check_sweep(document).notes), document
        for fault in () if is_violation(document) else faults:
            assert any(re.search(own, fault) for own in OWN_CHECKS), (fault, document)
        if not faults:
            load_sweep(document, "a.yaml")


BROKEN = """\
method: gird
metirc: {name: loss}
metric: {name: val_acc, goal: max}
early_terminate:
  type: hyperband
  max_iter: 2
run_cap: 0
parameters:
  lr: {min: 5, max: 2.0}
  optim:
    parameters:
      lr:
        min: 3
        max: 1
      decay: {distribution: lognormal}
  batch: 3
  shares:
    values: [1, 2]
    probabilities:
    - 0.5
    - 2
"""


def test_every_fault_is_told_at_once_with_its_key_and_line(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(BROKEN)
    document, lines = yaml_file.read_with_lines(file)
    with pytest.raises(ConfigError) as raised:
        load_sweep(document, str(file), lines)
    assert [re.sub(r": .*", "", fault) for fault in raised.value.faults] == [
        "method (line 1)",
        "metirc (line 2)",
        "metric.goal (line 3)",
        "early_terminate.s (line 4)",
        "run_cap (line 7)",
        "parameters.lr (line 9)",
        "parameters.optim.parameters.lr (line 12)",
        "parameters.optim.parameters.decay.distribution (line 15)",
        "parameters.batch (line 16)",
        "parameters.shares.probabilities.1 (line 21)",
    ]
    assert raised.value.where == str(file)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (grid(method="gird"), "method: got 'gird'; allowed: grid, random, bayes, custom. Did you"),
        (grid(metirc=LOSS), "metirc: no key of a sweep. Did you mean 'metric'? Known here: method"),
        (drawn("lognormal"), "parameters.p.distribution: got 'lognormal'; allowed: constant, "),
        (one(mu=0, sigma=1), "mu, sigma want one, such as distribution: normal"),
        (one(lr={"min": 1, "max": 2}), "its own parameters belong under a key: {parameters: {…}}"),
        (one(min=1, max=9, q=2), "parameters.p.q: no key of int_uniform"),
        ({"method": "grid", "parameters": {"a": 3}}, "allowed: a mapping such as {value: 3}"),
        (grid(parameters={True: {"value": 1}}), "reads this name as True"),
        (grid(run_cap=None), "run_cap: got nothing; allowed: a whole number of at least 1"),
        (grid(name=list(range(99))), "…; allowed: text"),
    ],
)
def test_a_fault_says_what_was_got_what_is_allowed_and_the_nearest_name(document, told):
    assert told in "\n".join(check_sweep(document).faults)


RUNNING = {"program": "a.py"}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (one(min="1e-4", max=0.1), "parameters.p.min: '1e-4' is text in YAML, read here as"),
        (one(values=["1e-4", "2E3"]), "parameters.p.values: text in YAML: 1e-4, 2E3; handed on as"),
        (one(value="1e-4"), "For numbers write 1.0e-4"),
        (nested(min=1, max=2.0), "read as uniform floats"),
        (one(min=1, max=2.0), "read as uniform floats, which W&B's client refuses"),
        (drawn("log_uniform", min=-3, max=0), "draws from 0.04979 to 1; log_uniform_values takes"),
        (drawn("inv_log_uniform", min=0, max=3), "draws from 0.04979 to 1; inv_log_uniform_values"),
        (grid(metric={"name": "test/accuracy"}), "metric.goal: missing, so test/accuracy is mini"),
        (grid(metric={"name": "mAP"}), "metric.goal: missing"),
        (grid(metric={"name": "val_f1"}), "metric.goal: missing"),
        (
            grid(metric=LOSS, early_terminate={**HYPERBAND, "max_iter": 9, "s": 1}),
            "early_terminate.min_iter: has no effect together with max_iter",
        ),
        (
            grid(metric=LOSS, early_terminate={**HYPERBAND, "s": 1}),
            "early_terminate.s: has no effect with min_iter",
        ),
        (grid(), "program: missing: only wandb.agent(…, function=…) can run this"),
        (grid(command=["python", "a.py", "${agrs}"]), "command.2: W&B leaves out ${agrs}. Did you"),
        (grid(command=["a", "--x ${args}"]), "command.1: ${args} stays as it is inside '--x ${ar"),
        (grid(command=["a", {"b": 1}]), "command.1: got {'b': 1}, handed on as"),
        (grid(command=["a", "${envvar:home}"]), "command.1: W&B leaves out ${envvar:home}"),
        ({**nested(value=1), **RUNNING}, "parameters.p: reaches the command line as a Python map"),
        (one("grid", min=0, max=10_000), "parameters: a grid of 10,001 cells without a run_cap"),
    ],
)
def test_what_is_odd_though_wandb_takes_it_is_noted(document, told):
    checked = check_sweep(document)
    assert checked.faults == ()
    assert told in "\n".join(checked.notes)


@pytest.mark.parametrize(
    "document",
    [
        {**one(values=["0.5", "8", "1.0e-4", "e4"]), **RUNNING},  # in quotes, so meant as text
        grid(metric=LOSS, **RUNNING),
        grid(metric={"name": "accuracy", "goal": "minimize"}, **RUNNING),
        grid(metric={"name": "factor"}, **RUNNING),
        grid(command=["${env}", "${interpreter}", "a.py", "${args_json}", "x${envvar:A_1}y"]),
        {**nested(value=1), "command": ["a", "${args_json_file}"]},
        {**one("grid", min=0, max=10_000), "run_cap": 5, **RUNNING},
        {**one("grid", min=1, max=10_000), **RUNNING},
    ],
)
def test_what_is_plainly_meant_gets_no_note(document):
    checked = check_sweep(document)
    assert (checked.faults, checked.notes) == ((), ())


def only(document: dict[str, Any]) -> Any:
    return load_sweep(document, "a.yaml").parameters["p"]


def test_two_integers_and_two_floats_are_what_wandb_makes_of_them():
    assert only(one(min=1, max=2)) == Numeric("int_uniform", 1, 2)
    assert only(one(min=1.0, max=2.0)) == Numeric("uniform", 1.0, 2.0)
    assert only(nested(min=1, max=2.0)) == Nested({"p": Numeric("uniform", 1, 2.0)})


def test_what_a_distribution_leaves_open_is_as_wandb_fills_it():
    assert only(drawn("normal")) == Numeric("normal", mu=0.0, sigma=1.0)
    assert only(drawn("q_beta")) == Numeric("q_beta", a=1.0, b=1.0, q=1.0)
    assert only(drawn("q_uniform", min=0, max=9)) == Numeric("q_uniform", 0, 9, q=1.0)


def test_constants_and_choices_keep_their_values_as_they_are():
    assert only(one(value=["1e-4", None])) == Constant(["1e-4", None])
    assert only(one(values=[True, 1, "1e-4"])) == Categorical((True, 1, "1e-4"))
    shares = only(one(values=[1, 2], probabilities=[0, 1]))
    assert shares == Categorical((1, 2), (0, 1))


def test_numeric_text_is_a_number_where_one_is_declared():
    found = only(one(min="1e-4", max="1e-1"))
    assert found == Numeric("uniform", 0.0001, 0.1)
    assert only(one(min="1", max="12")) == Numeric("int_uniform", 1, 12)
    sweep = load_sweep(grid(run_cap="5", metric={"name": "a", "target": "9e-1"}), "a.yaml")
    assert (sweep.run_cap, sweep.metric) == (5, Metric("a", target=0.9))


def test_a_metric_is_minimized_and_a_stop_rule_strict_unless_said_otherwise():
    sweep = load_sweep(grid(metric=LOSS, early_terminate=HYPERBAND), "a.yaml")
    assert sweep.metric == Metric("loss", "minimize", None, "worst", "false")
    assert sweep.early_terminate == Hyperband(min_iter=3, eta=3, is_strict=True)


def test_a_stop_rule_with_max_iter_knows_no_min_iter():
    both = {**HYPERBAND, "max_iter": 27.0, "s": 2, "strict": False}
    sweep = load_sweep(grid(metric=LOSS, early_terminate=both), "a.yaml")
    assert sweep.early_terminate == Hyperband(max_iter=27, s=2, eta=3, is_strict=False)


def test_a_command_is_kept_word_by_word():
    command = ["${env}", "python", "-m", "a", 3, 0.5, "${args}"]
    sweep = load_sweep(grid(command=command, program="a.py"), "a.yaml")
    assert sweep.command == ("${env}", "python", "-m", "a", "3", "0.5", "${args}")
    assert sweep.program == "a.py"


def test_a_document_is_left_as_it_was():
    document = copy.deepcopy(VALID["nested twice"])
    load_sweep(document, "a.yaml")
    assert document == VALID["nested twice"]


def test_an_alias_that_holds_itself_is_a_fault():
    text = "method: grid\nparameters: &all\n  a: {parameters: *all}\n"
    lines = yaml_file.lines_of(text, "a.yaml")
    (fault,) = check_sweep(yaml_file.parse(text, "a.yaml"), lines).faults
    assert "does an alias hold itself?" in fault


def test_lines_are_those_of_the_keys_and_items():
    lines = yaml_file.lines_of("a:\n  b: [1,\n    2]\nc.d: 3\n", "a.yaml")
    expected = {("a",): 1, ("a", "b"): 2, ("a", "b", 0): 2, ("a", "b", 1): 3, ("c.d",): 4}
    assert lines == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "a (line 3): given before, on line 1; keep one"),
        ("p: {a: 1, a: 1}\n", "p.a (line 1): given before, on line 1; keep one"),
    ],
)
def test_a_key_given_twice_is_a_fault(tmp_path, text, told):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        yaml_file.read_with_lines(tmp_path / "a.yaml")
    assert raised.value.faults == [told]


def test_a_merged_mapping_may_be_overridden_and_merged_twice():
    text = "x: &x {a: 1}\ny: &y {b: 1}\nz:\n  <<: *x\n  <<: *y\n  a: 2\n"
    lines = yaml_file.lines_of(text, "a.yaml")
    assert (lines[("z",)], lines[("z", "a")]) == (3, 6)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{value: .nan}", "x.value (line 3): got nan"),
        ("{values: [1, .inf]}", "x.values.1 (line 3): got inf"),
        ("{values: [{a: [2024-01-02]}]}", "x.values.0.a.0 (line 3): YAML reads 2024-01-02"),
        ("{value: !!binary aGk=}", "x.value (line 3): YAML reads b'hi' as a bytes"),
    ],
)
def test_a_value_that_json_cannot_say_is_a_fault(written, said):
    text = f"method: random\nparameters:\n  x: {written}\n"
    lines = yaml_file.lines_of(text, "a.yaml")
    (fault,) = check_sweep(yaml_file.parse(text, "a.yaml"), lines).faults
    assert fault.startswith(f"parameters.{said}")
