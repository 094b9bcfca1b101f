"""`audiocls ablation list | show`: what can be asked."""

import audiocls
from audiocls.cli import options as o


def list_(as_json: o.JsonOption = False) -> None:
    """List every built-in ablation."""
    o.show_catalogue(audiocls.list_ablations(), as_json)


def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """Show one ablation, every default written down."""
    content = audiocls.read_ablation(name).model_dump(mode="json")
    return o.show_content(content, as_json)
