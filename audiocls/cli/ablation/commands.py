"""`audiocls ablation list | show | plan`: what is asked, and what it would cost."""

from audiocls import console, library, yaml_file
from audiocls.cli import options as o
from audiocls.design import arms_of
from audiocls.studies.program_ablation import command_of
from audiocls.studies.request import ablation_request


def list_(as_json: o.JsonOption = False) -> None:
    """List every built-in ablation."""
    ablations = {name: library.ablation(name) for name in library.available("ablations")}
    if as_json:
        rows = [
            {"name": a.name, "question": a.question, "recipe": a.recipe} for a in ablations.values()
        ]
        return console.show_json(rows)
    console.show_table(
        "Ablations",
        ("name", "question", "arms", "recipe"),
        [
            (n, a.question, str(len(arms_of(a))), a.recipe or command_of(a))
            for n, a in ablations.items()
        ],
        text=("name", "question", "recipe"),
    )
    return None


def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """Show one ablation, every default written down."""
    content = library.ablation(name).model_dump(mode="json")
    return console.show_json(content) if as_json else console.say(yaml_file.dump(content))


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
    from audiocls.render.build.stored import planned

    output = o.output_of(as_json, format_, out, allowed=o.PLAN_FORMATS, what="a plan")
    request = ablation_request(name, recipe, assignments, seeds, folds, arms)
    for text in request.notes:
        console.note(text)
    planned(request, runs, effect).write(output)
