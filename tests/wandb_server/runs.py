"""Runs: what their own processes tell of them, and what the public API asks."""

import json
from collections.abc import Mapping
from typing import Any

from wandb_server.filters import matches, ordered
from wandb_server.graphql import Arguments, Resolver, edges
from wandb_server.history import logged
from wandb_server.state import USER, Place, Refused, Run, State, Sweep, key_of, now, place_of

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


def mutations(state: State, url: str) -> dict[str, Resolver]:
    """The operations that write runs."""

    def upsert(arguments: Arguments) -> object:
        given = arguments["input"]
        run, is_new = _found_or_made(state, given)
        if not given.get("id"):
            run.is_reported = True
            run.state = given.get("state") or "running"
        _update(state, run, given)
        return {"bucket": fields_of(run, state, url), "inserted": is_new}

    def create_files(arguments: Arguments) -> object:
        given = arguments["input"]
        run = run_of(state, place_of(given), given["runName"])
        files = [_upload(run, name, url) for name in given["files"]]
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
        "upsertBucket": upsert,
        "createRunFiles": create_files,
        "markRunFilesUploaded": lambda _: {"success": True},
        "deleteRun": delete,
        "stopRun": stop,
        "updateRunState": set_state,
        "notifyScriptableRunAlert": lambda _: {"success": True},
    }


def fields_of_project(place: Place, state: State, url: str) -> dict[str, object]:
    """What a project knows of its runs."""

    def one(arguments: Arguments) -> object:
        run = state.run(place, arguments["name"])
        return fields_of(run, state, url) if run else None

    def reported(arguments: Arguments) -> object:
        run = state.run(place, arguments["name"])
        return fields_of(run, state, url) if run and run.is_reported else None

    def many(arguments: Arguments) -> object:
        runs = ordered(matching(state, place, arguments), arguments.get("order") or "+created_at")
        return edges([fields_of(run, state, url) for run in runs], arguments)

    return {
        "run": one,
        "bucket": reported,
        "runs": many,
        "runCount": lambda arguments: len(matching(state, place, arguments)),
    }


def fields_of(run: Run, state: State, url: str) -> dict[str, object]:
    """A run in W&B's schema."""
    return {
        "__typename": "Run",
        "id": run.key,
        "projectId": state.projects.index(run.place) + 1,
        "project": {
            "id": key_of("Project", run.project, run.entity),
            "internalId": key_of("ProjectInternalId", str(state.projects.index(run.place) + 1)),
            "name": run.project,
            "entityName": run.entity,
            "entity": {"id": key_of("Entity", run.entity), "name": run.entity},
        },
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
        "user": {"name": USER, "username": USER},
        "wandbConfig": lambda _: json.dumps({"t": 1}),
        **logged(run),
        **_files(run, url),
    }


def _files(run: Run, url: str) -> dict[str, object]:
    def files(arguments: Arguments) -> object:
        names = arguments.get("names") or run.files
        return edges([_file(run, name, url) for name in names if name in run.files], arguments)

    return {"fileCount": len(run.files), "files": files}


def _file(run: Run, name: str, url: str) -> dict[str, object]:
    address = _upload(run, name, url)["uploadUrl"]
    return {
        "__typename": "File",
        "id": key_of("File", run.id, name),
        "name": name,
        "displayName": name,
        "url": address,
        "directUrl": address,
        "sizeBytes": len(run.files[name]),
        "mimetype": None,
        "updatedAt": run.heartbeat_at,
        "md5": None,
        "digest": None,
    }


def _upload(run: Run, name: str, url: str) -> dict[str, object]:
    place = "/".join((*run.place, run.id))
    return {
        "name": name,
        "id": key_of("File", run.id, name),
        "uploadUrl": f"{url}/storage/runs/{place}/{name}",
    }


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


def _update(state: State, run: Run, given: Mapping[str, Any]) -> None:
    if given.get("sweep"):
        join(run, state.sweep(given["sweep"]))
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


def run_of(state: State, place: Place, run_id: str) -> Run:
    run = state.run(place, run_id)
    if run is None:
        raise Refused(404, f"no run {run_id} in {'/'.join(place)}")
    return run


def matching(state: State, place: Place, arguments: Arguments) -> list[Run]:
    wanted = json.loads(arguments.get("filters") or "{}")
    here = [run for run in state.runs.values() if run.place == place]
    return [run for run in here if matches(run, wanted)]
