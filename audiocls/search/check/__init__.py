"""All errors and warnings about a sweep's document at once.

A fault is an error: W&B calls it a violation, its client refuses it, or its engine fails on it. A
note is a warning: W&B accepts it, but it is probably a mistake.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.search.check.blocks import check_blocks, check_repeats
from audiocls.search.check.command import check_command
from audiocls.search.check.finding import Finding, fault, got, listing, note, sentences
from audiocls.search.check.forms import FORMS
from audiocls.search.check.kinds import (
    ANYTHING,
    COUNT,
    LIST,
    PATTERNS,
    TEXT,
    check_keys,
    number,
    one_of,
)
from audiocls.search.check.metric import check_early_terminate, check_metric, check_metrics
from audiocls.search.check.parameters import check_parameters, forms_of

__all__ = ["Finding", "fault", "findings", "forms_of", "note", "number", "sentences"]

_SWEEP = {
    "method": one_of("grid", "random", "bayes", "custom"),
    "parameters": ANYTHING,
    "metric": ANYTHING,
    "metrics": ANYTHING,
    "early_terminate": ANYTHING,
    "run_cap": COUNT,
    "command": LIST,
    "program": TEXT,
    "code": PATTERNS,
    "blocks": ANYTHING,
    "name": TEXT,
    "description": TEXT,
    "entity": TEXT,
    "project": TEXT,
    "controller": ANYTHING,
    "scheduler": ANYTHING,
    "job": TEXT,
    "image_uri": TEXT,
    "apiVersion": TEXT,
    "kind": one_of("sweep"),
}
_CAP = "run_cap (on the command line: --count)"
_COMMAND = "command, a list such as [python, '${program}', '${args}'],"
_MEANT = {
    **dict.fromkeys(("count", "max_runs", "num_runs", "runs", "max_trials", "trials"), _CAP),
    **dict.fromkeys(("num_trials", "n_trials", "iterations", "n_iter"), _CAP),
    **dict.fromkeys(("interpreter", "args", "arguments", "cmd", "entrypoint"), _COMMAND),
    **dict.fromkeys(("script", "file", "main"), "program"),
    **dict.fromkeys(("algorithm", "strategy", "search", "type", "sampler"), "method"),
    **dict.fromkeys(("config", "params", "hyperparameters", "space"), "parameters"),
    **dict.fromkeys(("objective", "goal"), "metric: {name: …, goal: minimize or maximize}"),
    **dict.fromkeys(
        ("block_keys", "repeats", "block"), "blocks: {seed: PARAMETER, fold: PARAMETER}"
    ),
    **dict.fromkeys(("early_stopping", "pruner", "hyperband"), "early_terminate"),
}
"""What people write → what W&B calls it."""
_SCHEDULER = {
    "engine": one_of("wandb", "optuna", "ax"),
    "source": TEXT,
    "optimizer": TEXT,
    "search_space": TEXT,
}
_METHODS_OF_ENGINES = {
    "wandb": ("grid", "random", "bayes"),
    "optuna": ("custom",),
    "ax": ("custom",),
}
_CONTROLLER = {"type": one_of("local", "cloud")}


def findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the findings on each key, then on keys that depend on each other."""
    yield from check_keys(document, (), "a sweep", _SWEEP, ("method",), _MEANT)
    checks = {
        "parameters": check_parameters,
        "metric": check_metric,
        "metrics": check_metrics,
        "early_terminate": check_early_terminate,
        "scheduler": _scheduler,
        "controller": _controller,
        "blocks": check_blocks,
    }
    for name, check in checks.items():
        if name in document:
            yield from check(document[name])
    yield from check_command(document)
    yield from check_repeats(document)
    yield from _objectives(document)
    yield from _schedulers(document)
    yield from _method(document)


def _scheduler(given: Any) -> Iterator[Finding]:
    yield from check_keys(given, ("scheduler",), "a scheduler", _SCHEDULER, ("engine",))
    for name in ("optimizer", "search_space"):
        if isinstance(given, Mapping) and name in given and "source" not in given:
            advice = f"{name} names a function in it"
            yield fault(("scheduler", "source"), f"missing; {advice}")


def _controller(given: Any) -> Iterator[Finding]:
    """Check the type, which is the only key that W&B reads."""
    others = dict.fromkeys(given, ANYTHING) if isinstance(given, Mapping) else {}
    yield from check_keys(given, ("controller",), "a controller", others | _CONTROLLER, ("type",))


def _objectives(document: Mapping[str, Any]) -> Iterator[Finding]:
    method = document.get("method")
    if "metrics" in document and "metric" in document:
        yield fault(("metrics",), "given together with metric; allowed: one of the two")
    elif "metrics" in document and method not in (None, "custom"):
        yield fault(("metrics",), f"got method {method!r}; allowed: method: custom")
    if "metric" in document:
        return
    if method == "bayes":
        yield fault(("metric",), "missing; bayes needs it: say what is sought")
    if "early_terminate" in document:
        yield fault(("metric",), "missing; early_terminate needs it: say what is judged")


def _schedulers(document: Mapping[str, Any]) -> Iterator[Finding]:
    given, method = _mapping(document, "scheduler"), document.get("method")
    if "parameters" not in document and not given.get("search_space"):
        yield fault(("parameters",), "missing; say what varies, or scheduler.search_space")
    if "scheduler" not in document:
        return
    if "early_terminate" in document:
        yield fault(
            ("early_terminate",), "got one together with a scheduler, which stops runs by itself"
        )
    if _mapping(document, "controller").get("type") == "local":
        yield fault(("controller", "type"), "got 'local' together with a scheduler; allowed: cloud")
    allowed = _METHODS_OF_ENGINES.get(str(given.get("engine")))
    if allowed and method not in allowed:
        yield fault(("method",), f"{got(method)} with that engine; allowed: {listing(allowed)}")


def _method(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find parameters that the method cannot search."""
    method, forms = document.get("method"), list(forms_of(document.get("parameters")))
    if method == "grid":
        walked = listing(name for name, form in FORMS.items() if form.is_enumerable)
        for key, distribution in forms:
            if not FORMS[distribution].is_enumerable:
                yield fault(key, f"got {distribution}, which no grid can walk; allowed: {walked}")
    if method == "bayes" and forms and all(form == "constant" for _, form in forms):
        yield fault(("parameters",), "got constants alone; bayes needs one parameter that varies")


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the mapping under a name, empty if there is none."""
    given = document.get(name)
    return given if isinstance(given, Mapping) else {}
