"""`audiocls sweep plan`: what a launch would run, before anything runs."""

from audiocls import console
from audiocls.cli import options as o
from audiocls.studies.request import (
    ablation_request,
    check_without_effect,
    is_sweep,
    sweep_request,
)


def plan(
    name: o.NameArgument,
    recipe: o.RecipeOption = None,
    assignments: o.SetOption = None,
    seeds: o.SeedsOption = None,
    folds: o.FoldsOption = None,
    arms: o.ArmsOption = None,
    effect: o.EffectOption = None,
    runs: o.RunsOption = o.RUNS,
    as_json: o.JsonOption = False,
    format_: o.FormatOption = "terminal",
    out: o.OutOption = None,
) -> None:
    """Show arms, cells, pairs, cost and what could be seen, before anything runs."""
    from audiocls.render.build.stored import planned, planned_search

    output = o.output_of(as_json, format_, out, allowed=o.PLAN_FORMATS, what="a plan")
    if not is_sweep(name):
        request = ablation_request(name, recipe, assignments, seeds, folds, arms)
        for text in request.notes:
            console.note(text)
        return planned(request, runs, effect).write(output)
    check_without_effect({"--effect": effect}, f"{name} is a sweep, which compares nothing")
    search = sweep_request(name, assignments, recipe=recipe)
    for text in search.notes:
        console.note(text)
    return planned_search(search).write(output)
