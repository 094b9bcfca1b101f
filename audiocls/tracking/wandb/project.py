"""A W&B project: list its runs, read what they logged, put them under a sweep."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from audiocls.tracking.project import ProjectRef, RemoteRun, UploadStatus
from audiocls.tracking.sweep_server import SweepNotFound
from audiocls.tracking.wandb.connection import Connection
from audiocls.tracking.wandb.sweeps import WandbSweeps, named, unwrapped

PAGE = 100
"""Runs a request."""
MOST_ROWS = 1_000
"""Of a run's history; a longer one is sampled by the server."""

RUNS = """
query Runs($project: String!, $entity: String!, $cursor: String, $perPage: Int, $order: String,
    $filters: JSONString) {
  project(name: $project, entityName: $entity) {
    runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
      edges { node {
        id name displayName state config summaryMetrics group jobType commit sweepName
        createdAt heartbeatAt
      } }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""
STATES = """
query Runs($project: String!, $entity: String!, $perPage: Int, $filters: JSONString) {
  project(name: $project, entityName: $entity) {
    runs(filters: $filters, first: $perPage) {
      edges { node { id name state sweepName } }
    }
  }
}
"""
HISTORY = """
query RunFullHistory($project: String!, $entity: String!, $name: String!, $samples: Int) {
  project(name: $project, entityName: $entity) {
    run(name: $name) { history(samples: $samples) }
  }
}
"""
ATTACH = """
mutation UpsertBucket($id: String, $sweep: String) {
  upsertBucket(input: {id: $id, sweep: $sweep}) { bucket { id sweepName } }
}
"""


class WandbProject:
    """A project of a real server."""

    def __init__(self, server: Connection):
        self._server = server
        self.sweeps = WandbSweeps(server)

    @property
    def entity(self) -> str:
        """Return the entity that owns a project where none is named."""
        return self._server.entity

    def runs(self, place: ProjectRef, filters: Mapping[str, Any]) -> Iterator[RemoteRun]:
        cursor: str | None = None
        while True:
            page = self._page(place, filters, cursor)
            yield from (_remote(edge["node"]) for edge in page["edges"])
            cursor = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return

    def _page(
        self, place: ProjectRef, filters: Mapping[str, Any], cursor: str | None
    ) -> dict[str, Any]:
        options = {"cursor": cursor, "perPage": PAGE, "order": "+created_at"}
        variables = {**_at(place), **options, "filters": json.dumps(filters)}
        project = self._server.ask(RUNS, variables, f"project {place}")["project"]
        if project is None:
            raise SweepNotFound(f"{self._server.host} has no project {place}, or not for this key")
        return dict(project["runs"])

    def history(self, place: ProjectRef, run_id: str) -> list[dict[str, Any]]:
        variables = {**_at(place), "name": run_id, "samples": MOST_ROWS}
        project = self._server.ask(HISTORY, variables, f"run {place}/{run_id}")["project"]
        if project is None or project["run"] is None:
            raise SweepNotFound(
                f"run {place}/{run_id}: the server at {self._server.host} does not know it"
            )
        return [json.loads(line) for line in project["run"]["history"]]

    def standings(self, place: ProjectRef, run_ids: Collection[str]) -> dict[str, UploadStatus]:
        """Return the upload status of each run that the server has, by run id."""
        statuses: dict[str, UploadStatus] = {}
        for ids in _chunks(sorted(run_ids)):
            variables = {**_at(place), "perPage": PAGE, "filters": named(ids)}
            project = self._server.ask(STATES, variables, f"project {place}")["project"]
            for edge in project["runs"]["edges"] if project else ():
                node = edge["node"]
                sweep = node["sweepName"] or ""
                statuses[node["name"]] = UploadStatus(node["id"], node["state"], sweep)
        return statuses

    def attach(self, run: UploadStatus, sweep: str) -> None:
        """Put a run that is on the server under a sweep."""
        self._server.ask(ATTACH, {"id": run.key, "sweep": sweep}, f"sweep {sweep}")


def _at(place: ProjectRef) -> dict[str, str]:
    return {"entity": place.entity, "project": place.project}


def _chunks(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[start : start + PAGE] for start in range(0, len(items), PAGE))


def _remote(node: Mapping[str, Any]) -> RemoteRun:
    config = unwrapped(_mapping(node["config"]))
    internal = config.pop("_wandb", {})
    return RemoteRun(
        id=node["name"],
        name=node["displayName"] or node["name"],
        state=node["state"],
        config=config,
        summary=_mapping(node["summaryMetrics"]),
        group=node["group"] or "",
        job_type=node["jobType"] or "",
        commit=node["commit"] or "",
        python=str(internal.get("python_version") or ""),
        created=node["createdAt"] or "",
        heartbeat=node["heartbeatAt"] or "",
    )


def _mapping(text: str | None) -> dict[str, Any]:
    return dict(json.loads(text)) if text else {}
