"""`audiocls sweep list | show`: the sweeps that can be launched by name."""

import audiocls
from audiocls.cli import options as o


def list_(as_json: o.JsonOption = False) -> None:
    """List every built-in sweep: registered ablations and searches."""
    o.show_catalogue(audiocls.list_sweeps(), as_json)


def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """Show one sweep, in W&B's grammar."""
    sweep = audiocls.read_sweep(name)
    return o.show_content(sweep, as_json)
