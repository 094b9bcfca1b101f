"""A sweep put on a server, for `ablation register --push` and `sweep launch --executor wandb`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiocls import console
from audiocls.store import StudyFolder, folder_name
from audiocls.wandb_server.push import Pushed, push


def pushed(sweep: Mapping[str, Any], runs: Path, entity: str | None) -> Pushed:
    """The sweep on the server, created there if it is not yet."""
    from audiocls.tracking.wandb.connection import Connection
    from audiocls.tracking.wandb.sweeps import WandbSweeps

    return push(
        WandbSweeps(Connection()),
        StudyFolder(runs / folder_name(sweep["name"])),
        sweep,
        sweep["project"],
        entity,
    )


def show_pushed(found: Pushed) -> None:
    """Where it is, and how to run it."""
    sweep = found.sweep
    if found.replaced is not None:
        console.note(
            f"what was pushed before is another sweep now: {found.replaced} keeps its runs"
        )
    elif not found.is_new:
        console.note("the server has it already, unchanged")
    console.say(sweep.url)
    console.say(f"audiocls sweep agent {sweep.path}")
    console.say(f"wandb agent {sweep.path}")
