"""`audiocls sweep …`: studies before, while and after they run."""

import typer

from audiocls import console, library, yaml_file
from audiocls.cli import agent, importing, launch, sweep_status, sync
from audiocls.cli import options as o
from audiocls.cli import output as out_
from audiocls.cli.plan import FORMATS, show_plan, show_search
from audiocls.cli.searches import sweep_request

app = typer.Typer(no_args_is_help=True, help="Studies: plan, launch, status, sync …")


@app.command("list")
def list_(as_json: o.JsonOption = False) -> None:
    """Every sweep on the shelf: registered ablations and searches."""
    found = {name: library.sweep(name) for name in library.available("sweeps")}
    if as_json:
        return console.show_json([{"name": name, **sweep} for name, sweep in found.items()])
    console.show_table(
        "Sweeps",
        ("name", "method", "description"),
        [(n, str(s.get("method")), str(s.get("description", ""))) for n, s in found.items()],
        text=("name", "method", "description"),
    )
    return None


@app.command()
def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """One sweep, in W&B's grammar."""
    sweep = library.sweep(name)
    return console.show_json(sweep) if as_json else console.say(yaml_file.dump(sweep))


@app.command()
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
    """Arms, cells, pairs, cost and what could be seen, before anything runs."""
    output = out_.output_of(as_json, format_, out, allowed=FORMATS, what="a plan")
    if (sweep := launch.sweep_named(name)) is not None:
        launch.refuse({"--effect": effect}, f"{name} is a sweep, which compares nothing")
        return show_search(sweep_request(sweep, assignments, recipe=recipe), output)
    request = launch.ablation_named(name, recipe, assignments, seeds, folds, arms)
    return show_plan(request, output, runs, effect)


app.command()(launch.launch)
app.command()(sweep_status.status)
app.command()(sweep_status.retry)
app.command()(sweep_status.stop)
app.command()(agent.agent)
app.command()(sync.sync)
app.command("import")(importing.import_)
