"""Runs: what their own processes tell of them, and what the public API asks."""

import json
from collections.abc import Mapping
from typing import Any

from wandb_server import small_types
from wandb_server.artifact_fields import fields_of as fields_of_artifact
from wandb_server.filters import matches, ordered
from wandb_server.graphql import Arguments, Resolver, edges
from wandb_server.history import logged
from wandb_server.records import Place, Run, RunState, Sweep, now
from wandb_server.state import Refused, State, place_of

TEXT_FIELDS = {
    "displayName": "display_name",
    "groupName": "group",
    "jobType": "job_type",
    "notes": "notes",
    "description": "description",
    "host": "host",
    "jobProgram": "program",
    "commit": "commit",
    "tags": "tags",
}


def mutations(state: State) -> dict[str, Resolver]:
    """The operations that write runs."""

    def create_files(arguments: Arguments) -> object:
        given = arguments["input"]
        run = state.known_run(place_of(given), given["runName"])
        files = [_file(run, name, state) for name in given["files"]]
        return {"runID": run.key, "uploadHeaders": [], "files": files}

    def delete(arguments: Arguments) -> object:
        run = state.run_of_key(arguments["input"]["id"])
        del state.runs[*run.place, run.id]
        state.deleted_runs.add((*run.place, run.id))
        return {"clientMutationId": None}

    def stop(arguments: Arguments) -> object:
        state.run_of_key(arguments["input"]["id"]).is_to_stop = True
        return {"success": True}

    def set_state(arguments: Arguments) -> object:
        given = arguments["input"]
        state.run_of_key(given["id"]).state = given["state"]
        return {"success": True}

    return {
        "upsertBucket": lambda arguments: _upserted(state, arguments["input"]),
        "createRunFiles": create_files,
        "markRunFilesUploaded": lambda _: {"success": True},
        "deleteRun": delete,
        "stopRun": stop,
        "updateRunState": set_state,
        "notifyScriptableRunAlert": lambda _: {"success": True},
    }


def fields_of_project(place: Place, state: State) -> dict[str, object]:
    """What a project knows of its runs."""

    def one(arguments: Arguments) -> object:
        run = state.run(place, arguments["name"])
        return fields_of(run, state) if run else None

    def reported(arguments: Arguments) -> object:
        run = state.run(place, arguments["name"])
        return fields_of(run, state) if run and run.is_reported else None

    def many(arguments: Arguments) -> object:
        runs = ordered(_matching(state, place, arguments), arguments.get("order") or "+created_at")
        return edges([fields_of(run, state) for run in runs], arguments)

    return {
        "run": one,
        "bucket": reported,
        "runs": many,
        "runCount": lambda arguments: len(_matching(state, place, arguments)),
    }


def fields_of(run: Run, state: State) -> dict[str, object]:
    """A run in W&B's schema."""
    return {
        "__typename": "Run",
        "id": run.key,
        "projectId": state.projects.index(run.place) + 1,
        "project": small_types.project(run.place),
        "name": run.id,
        "displayName": run.display_name or run.id,
        "sweepName": run.sweep,
        "state": run.state,
        "stopped": run.state == "killed",
        "failed": run.state == "failed",
        "running": run.state == "running",
        "shouldStop": run.is_to_stop,
        "exitcode": run.exit_code,
        "group": run.group or None,
        "jobType": run.job_type or None,
        "commit": run.commit or None,
        "host": run.host or None,
        "readOnly": False,
        "createdAt": run.created_at,
        "updatedAt": run.heartbeat_at,
        "heartbeatAt": run.heartbeat_at,
        "description": run.description,
        "notes": run.notes,
        "tags": run.tags,
        "user": small_types.user(),
        "wandbConfig": lambda _: json.dumps({"t": 1}),
        **logged(run),
        **_files(run, state),
    }


def _files(run: Run, state: State) -> dict[str, object]:
    def files(arguments: Arguments) -> object:
        names = arguments.get("names") or run.files
        return edges([_file(run, name, state) for name in names if name in run.files], arguments)

    def made(arguments: Arguments) -> object:
        found = [each for each in state.artifacts.values() if each.run == run.id]
        return edges([fields_of_artifact(each, state) for each in found], arguments)

    def used(arguments: Arguments) -> object:
        found = map(state.artifact, dict.fromkeys(run.used_artifacts))
        return edges([fields_of_artifact(each, state) for each in found], arguments)

    return {
        "fileCount": len(run.files),
        "files": files,
        "outputArtifacts": made,
        "inputArtifacts": used,
    }


def _file(run: Run, name: str, state: State) -> dict[str, object]:
    address = f"{state.url}/storage/runs/{'/'.join(run.place)}/{run.id}/{name}"
    return small_types.file(name, address, len(run.files.get(name, b"")), run.heartbeat_at)


def _upserted(state: State, given: Mapping[str, Any]) -> object:
    sweep = state.sweep(given["sweep"]) if given.get("sweep") else None
    run, is_new = _found_or_made(state, given)
    if sweep:
        join(run, sweep)
    if "name" in given:  # its own process speaks; the public API names runs by key alone
        run.is_reported = True
        run.state = given.get("state") or _spoken(run)
    _update(run, given)
    return {"bucket": fields_of(run, state), "inserted": is_new}


def _found_or_made(state: State, given: Mapping[str, Any]) -> tuple[Run, bool]:
    if given.get("id"):
        return state.run_of_key(given["id"]), False
    place = place_of(given, "modelName")
    run = state.run(place, given["name"])
    if run:
        return run, False
    if (*place, given["name"]) in state.deleted_runs:
        raise Refused(409, f"run {given['name']} was previously created and deleted")
    return state.add_run(Run(given["name"], place[1], place[0])), True


def _spoken(run: Run) -> RunState:
    return "preempting" if run.state == "preempting" else "running"


def _update(run: Run, given: Mapping[str, Any]) -> None:
    for name, attribute in TEXT_FIELDS.items():
        if name in given:
            setattr(run, attribute, given[name])
    run.wrapped_config |= json.loads(given.get("config", "{}"))
    run.summary |= json.loads(given.get("summaryMetrics", "{}"))
    run.heartbeat_at = now()


def join(run: Run, sweep: Sweep) -> None:
    """Put a run under a sweep."""
    run.sweep = sweep.id
    if run.id not in sweep.run_ids:
        sweep.run_ids.append(run.id)


def _matching(state: State, place: Place, arguments: Arguments) -> list[Run]:
    wanted = json.loads(arguments.get("filters") or "{}")
    here = [run for run in state.runs.values() if run.place == place]
    return [run for run in here if matches(run, wanted)]
