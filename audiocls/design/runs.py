"""What an ablation runs, a recipe of ours or a program of the user's, and what each asks for."""

from collections.abc import Iterator

from audiocls.design.ablation import GOALS, Ablation, Metric, SecondaryMetric, on_test_clips
from audiocls.errors import ConfigError, did_you_mean
from audiocls.parts.names import is_import_string, parse

BLOCKS = ("seed", "fold")
OF_PROGRAMS = ("code", "block_keys", "num_folds", "tune_metric")


def runs(ablation: Ablation) -> Iterator[str]:
    """Yield the errors in what is run, and of keys that the one or the other needs or lacks."""
    if bool(ablation.recipe) == ablation.is_program:
        yield (
            "recipe: give `recipe`, or `program` (or a whole `command`) for a script of your own: "
            "one of the two and not both"
        )
    yield from _of_program(ablation) if ablation.is_program else _of_recipe(ablation)


def _of_recipe(ablation: Ablation) -> Iterator[str]:
    yield from _unmeasured("metric", ablation.metric, ablation.metric.name)
    for at, each in enumerate(ablation.secondary):
        split, on_test = on_test_clips(each.name)
        is_further = split not in ("", "test")
        yield from _unmeasured(f"secondary.{at}", each, on_test if is_further else each.name)
    for key in OF_PROGRAMS:
        if key in ablation.model_fields_set:
            yield f"{key}: `{key}` has no effect on a recipe: leave it out, or give `program`"
    if 0 in ablation.blocks.fold:
        yield "blocks.fold: got 0; wanted: 1 or more, for the folds of our data sets count from 1"
    if ablation.budget.match == "none":
        allowed = "epochs, steps, samples, macs, seconds"
        yield f"budget.match: got 'none', which programs alone may have; allowed: {allowed}"


def _unmeasured(key: str, metric: Metric, name: str) -> Iterator[str]:
    """Yield the errors of a metric that no test of ours has; `name` is its name on those clips."""
    if name in GOALS:
        if metric.options:
            yield f"{key}.options: {name} has none; leave them out"
    elif why := _no_metric(metric, name):
        yield f"{key}.name: {why}"
    elif "goal" not in metric.model_fields_set:
        yield _no_goal(key, metric.name)


def _no_metric(metric: Metric, name: str) -> str:
    """Return why a name is no metric's: it is misspelled, or names what no module can hold."""
    if is_import_string(name):
        try:
            parse(name)
        except ConfigError as error:
            return "; ".join(error.faults)
    if metric.is_own:
        return ""
    yours = "; or your own, as package.module:attribute"
    allowed, hint = ", ".join(GOALS), did_you_mean(name, GOALS)
    return f"got {name!r}; allowed, on test clips alone: {allowed}{yours}.{hint}"


def _of_program(ablation: Ablation) -> Iterator[str]:
    yield from _decides(ablation)
    if not ablation.program and any("${program}" in word for word in ablation.command):
        yield "program: `command` has ${program}, and there is none; name the script"
    yield from _tuning(ablation)
    for key in ("max_params", "max_macs"):
        if getattr(ablation.budget, key) is not None:
            yield f"budget.{key}: a program's size is not known before it runs; remove it"
    keys = list(ablation.block_parameters.values())
    if len(set(keys)) < len(keys):
        yield f"block_keys: got {keys[0]!r} for seed and fold; wanted: a parameter for each"
    if ablation.block_keys.fold is None and len(ablation.blocks.fold) > 1:
        yield (
            "block_keys.fold: got null, for a program without folds, and `blocks` lists "
            f"{len(ablation.blocks.fold)} folds; name its parameter, or remove the folds"
        )
    listed = len(ablation.blocks.fold)
    if ablation.num_folds is not None and ablation.num_folds < listed:
        yield f"num_folds: got {ablation.num_folds}, and `blocks` lists {listed}; wanted: as many"


def _tuning(ablation: Ablation) -> Iterator[str]:
    """Yield errors in the metric by which arms choose, which only the user can name."""
    chooses = ablation.tune_metric
    if not ablation.tune:
        if chooses is not None:
            yield "tune_metric: no effect without `tune`; leave it out"
        return
    if chooses is None or "name" not in chooses.model_fields_set:
        yield (
            "tune_metric: missing; name what the program reports of its validation clips, such as "
            "tune_metric: {name: val_loss, goal: minimize}"
        )
    elif chooses.name == ablation.metric.name:
        yield (
            f"tune_metric.name: got {chooses.name!r}, by which the arms are also compared; wanted: "
            "a metric of other clips, for what is chosen by a number looks better in it"
        )
    elif "goal" not in chooses.model_fields_set:
        yield _no_goal("tune_metric", chooses.name)


def _decides(ablation: Ablation) -> Iterator[str]:
    """Yield what of the rule that decides only the user can know."""
    if "name" not in ablation.metric.model_fields_set:
        yield "metric.name: missing; name a number that the program reports, such as val_acc"
    metrics: list[tuple[str, Metric | SecondaryMetric]] = [("metric", ablation.metric)]
    metrics += [(f"secondary.{at}", each) for at, each in enumerate(ablation.secondary)]
    for key, each in metrics:
        if "goal" not in each.model_fields_set:
            yield _no_goal(key, each.name)
    if "margin" not in ablation.stats.model_fields_set:
        yield (
            f"stats.margin: missing; say which differences of {ablation.metric.name} count as "
            "none, in its units, such as 0.01"
        )


def _no_goal(key: str, metric: str) -> str:
    return f"{key}.goal: missing; say whether {metric} is to `maximize` or `minimize`"
