"""What `sweep plan` and `ablation plan` show: nothing is run, and no recording is read."""

import shlex
from pathlib import Path

from audiocls.cli.options import RUNS, cache_folder
from audiocls.cli.searches import SweepRequest
from audiocls.cli.studies import AblationRequest, planned
from audiocls.execution.devices import num_cores
from audiocls.render import build, formats
from audiocls.render.formats import Output
from audiocls.search import fixed_keys
from audiocls.studies.native_trials import label_of
from audiocls.studies.planning import plan_facts, power_of, search_facts

FORMATS = ("terminal", "json", "md", "html", "tex", "ipynb")
"""Of a plan: it has no runs that W&B could show."""


def show_plan(
    request: AblationRequest, output: Output, runs: Path = RUNS, effect: float | None = None
) -> None:
    """Write an ablation's plan; `runs` may hold the measured noise, `effect` is to be detected."""
    chosen, configs = planned(request)
    facts = plan_facts(chosen, configs, request.recipe, request.overrides, request.is_own_recipe)
    promise = power_of(chosen, configs[chosen.baseline], runs, effect, cache_folder())
    measuring = shlex.join(["audiocls", "noise", request.name, *request.options()])
    document = build.plan(chosen, facts, promise, num_cores(), measuring)
    formats.write(document, output, Path(document.name))


def show_search(request: SweepRequest, output: Output) -> None:
    """Write what a sweep would run, its first proposals among it."""
    facts = search_facts(request.study_name, request.runs, request.sweep)
    fixed = fixed_keys(request.sweep.parameters)
    first = [label_of(parameters, fixed) for parameters in facts["first"]]
    document = build.search_plan(facts, first, request.sweep.description)
    formats.write(document, output, Path(document.name))
