"""`audiocls sweep plan`: what a launch would run, before anything runs."""

from audiocls import console
from audiocls.cli import options as o
from audiocls.cli import output as out_
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
    format_: out_.FormatOption = "terminal",
    out: out_.OutOption = None,
) -> None:
    """Show arms, cells, pairs, cost and what could be seen, before anything runs."""
    from audiocls.render.build.stored import planned, planned_search

    output = out_.output_of(as_json, format_, out, allowed=out_.OF_PLANS, what="a plan")
    if not is_sweep(name):
        request = ablation_request(name, recipe, assignments, seeds, folds, arms)
        return out_.write(planned(request, runs, effect, o.cache_folder()), output)
    check_without_effect({"--effect": effect}, f"{name} is a sweep, which compares nothing")
    search = sweep_request(name, assignments, recipe=recipe)
    for text in search.notes:
        console.note(text)
    return out_.write(planned_search(search), output)
