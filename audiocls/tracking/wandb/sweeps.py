"""The door to W&B's sweeps: create one, read it, be its agent (wandb 0.31).

The operations are those of the client's own `wandb sweep` and `wandb agent`. What those commands
hide (they take a server that refuses for one without orders) is told here as a fault.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from audiocls import yaml_file
from audiocls.tracking.sweep_server import (
    Leave,
    Order,
    ServerRun,
    ServerSweep,
    Start,
    Stop,
    SweepNotFound,
    SweepPath,
)
from audiocls.tracking.wandb.connection import Connection

CREATE = """
mutation UpsertSweep($config: String, $description: String, $entityName: String,
    $projectName: String, $priorRunsFilters: JSONString) {
  upsertSweep(input: {config: $config, description: $description, entityName: $entityName,
      projectName: $projectName, priorRunsFilters: $priorRunsFilters}) {
    sweep { name project { name entity { name } } }
  }
}
"""
READ = """
query SweepWithRuns($entity: String, $project: String, $sweep: String!) {
  project(name: $project, entityName: $entity) {
    sweep(sweepName: $sweep) {
      name state config
      runs { edges { node { name state config } } }
    }
  }
}
"""
REGISTER = """
mutation CreateAgent($host: String!, $projectName: String, $entityName: String, $sweep: String!) {
  createAgent(input: {host: $host, projectName: $projectName, entityName: $entityName,
      sweep: $sweep}) { agent { id } }
}
"""
HEARTBEAT = """
mutation Heartbeat($id: ID!, $metrics: JSONString, $runState: JSONString) {
  agentHeartbeat(input: {id: $id, metrics: $metrics, runState: $runState}) {
    agent { id }
    commands
  }
}
"""


class WandbSweeps:
    """Those of one server; may be shared by threads."""

    def __init__(self, server: Connection):
        self._server = server

    def create(
        self,
        config: Mapping[str, Any],
        project: str,
        entity: str | None = None,
        prior_runs: Sequence[str] = (),
    ) -> SweepPath:
        variables = {
            "config": yaml_file.dump(config),
            "description": config.get("description"),
            "entityName": entity or self._server.entity,
            "projectName": project,
            "priorRunsFilters": named(prior_runs) if prior_runs else None,
        }
        sweep = self._server.ask(CREATE, variables, "the new sweep")["upsertSweep"]["sweep"]
        found = sweep["project"]
        return SweepPath(found["entity"]["name"], found["name"], sweep["name"])

    def sweep(self, path: SweepPath) -> ServerSweep:
        variables = {"entity": path.entity, "project": path.project, "sweep": path.id}
        project = self._server.ask(READ, variables, f"sweep {path}")["project"]
        if project is None or project["sweep"] is None:
            raise SweepNotFound(f"sweep {path}: the server at {self._server.host} does not know it")
        found = project["sweep"]
        return ServerSweep(
            path=path,
            url=self.url(path),
            config=yaml_file.parse(found["config"], f"sweep {path}") or {},
            state=found["state"],
            runs=tuple(_run(edge["node"]) for edge in found["runs"]["edges"]),
        )

    def url(self, path: SweepPath) -> str:
        """Its page."""
        return f"{self._server.app_url}{quote(f'{path.entity}/{path.project}/sweeps/{path.id}')}"

    def register_agent(self, path: SweepPath, host: str) -> str:
        variables = {
            "host": host,
            "projectName": path.project,
            "entityName": path.entity,
            "sweep": path.id,
        }
        answer = self._server.ask(REGISTER, variables, f"an agent of sweep {path}")
        return str(answer["createAgent"]["agent"]["id"])

    def heartbeat(self, agent_id: str, running: Sequence[str]) -> Sequence[Order]:
        run_state = json.dumps(dict.fromkeys(running, True))
        variables = {"id": agent_id, "metrics": "{}", "runState": run_state}
        answer = self._server.ask(HEARTBEAT, variables, "the agent's sweep")
        commands = json.loads(answer["agentHeartbeat"]["commands"])
        return [order for command in commands if (order := _order(command))]


def named(run_ids: Sequence[str]) -> str:
    """A filter in W&B's grammar that lets these runs pass."""
    return json.dumps({"$or": [{"name": run_id} for run_id in run_ids]})


def _run(node: Mapping[str, Any]) -> ServerRun:
    return ServerRun(node["name"], node["state"], _values(json.loads(node["config"] or "{}")))


def _order(command: Mapping[str, Any]) -> Order | None:
    """A command's order; none for kinds that the client does not know either."""
    kind = command["type"]
    if kind in ("run", "resume"):
        return Start(command["run_id"], _values(command["args"]))
    if kind == "stop":
        return Stop(command["run_id"])
    return Leave() if kind == "exit" else None


def _values(wrapped: Mapping[str, Any]) -> dict[str, Any]:
    """`{name: {value: …}}` without its inner mappings."""
    return {
        name: each["value"] if isinstance(each, Mapping) and "value" in each else each
        for name, each in wrapped.items()
    }
