"""`audiocls sweep list | show`: the sweeps that can be launched by name."""

from audiocls import console, library, yaml_file
from audiocls.cli import options as o


def list_(as_json: o.JsonOption = False) -> None:
    """List every built-in sweep: registered ablations and searches."""
    sweeps = {name: library.sweep(name) for name in library.available("sweeps")}
    if as_json:
        return console.show_json([{"name": name, **sweep} for name, sweep in sweeps.items()])
    console.show_table(
        "Sweeps",
        ("name", "method", "description"),
        [(n, str(s.get("method")), str(s.get("description", ""))) for n, s in sweeps.items()],
        text=("name", "method", "description"),
    )
    return None


def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """Show one sweep, in W&B's grammar."""
    sweep = library.sweep(name)
    return console.show_json(sweep) if as_json else console.say(yaml_file.dump(sweep))
