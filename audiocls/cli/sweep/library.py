"""`audiocls sweep list | show`: the sweeps that can be launched by name."""

import audiocls
from audiocls import console, yaml_file
from audiocls.cli import options as o


def list_(as_json: o.JsonOption = False) -> None:
    """List every built-in sweep: registered ablations and searches."""
    o.show_catalogue(audiocls.list_sweeps(), as_json)


def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """Show one sweep, in W&B's grammar."""
    sweep = audiocls.read_sweep(name)
    return console.show_json(sweep) if as_json else console.say(yaml_file.dump(sweep))
