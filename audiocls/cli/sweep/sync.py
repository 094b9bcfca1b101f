"""`audiocls sweep sync`: upload the W&B runs of a study that was trained offline."""

from typing import TYPE_CHECKING, Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli.options import RUNS, JsonOption, RunsOption, StudyArgument

if TYPE_CHECKING:
    from audiocls.wandb_remote.sync import Synced

ProjectOption = Annotated[
    str | None, typer.Option("--project", help="W&B project; default: the study's, or audiocls.")
]
EntityOption = Annotated[
    str | None, typer.Option("--entity", help="W&B user or team; default: that of your key.")
]


def sync(
    name: StudyArgument,
    runs: RunsOption = RUNS,
    project: ProjectOption = None,
    entity: EntityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload a study's W&B runs, and put them under its sweep; it can be stopped and resumed."""
    synced = audiocls.sync(name, project=project, entity=entity, runs=runs)
    if as_json:
        console.show_json(_facts(synced))
    else:
        _show(synced)
    if synced.exit_code:
        raise typer.Exit(synced.exit_code)


def _facts(synced: "Synced") -> dict[str, object]:
    return {
        "project": str(synced.place),
        "uploaded": list(synced.uploaded),
        "already_there": synced.num_there,
        "not_there": [{"folder": left.folder, "why": left.why} for left in synced.left],
        "sweep": str(synced.sweep) if synced.sweep else None,
        "attached": synced.num_attached,
    }


def _show(synced: "Synced") -> None:
    facts = {
        "project": str(synced.place),
        "uploaded": len(synced.uploaded),
        "already there": synced.num_there,
        "not there": len(synced.left),
    }
    if synced.sweep:
        made = " (new)" if synced.is_new_sweep else ""
        facts |= {"sweep": f"{synced.url}{made}", "put under it": synced.num_attached}
    console.show_facts(facts)
    for left in synced.left:
        console.note(f"{left.folder}: {left.why}")
    if synced.is_stopped:
        console.note("stopped; run the same command again to resume")
    elif synced.sweep:
        console.note(f"train what is missing: audiocls sweep agent {synced.sweep}")
