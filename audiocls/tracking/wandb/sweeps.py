"""W&B's sweeps: create one, read it, act as its agent (wandb 0.31).

The operations are those of the client's own `wandb sweep` and `wandb agent`. Those commands treat a
server that refuses like one that has no orders; here a refusal is an error.
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
    """The sweeps of one server; may be shared by threads."""

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
        owner = sweep["project"]
        return SweepPath(owner["entity"]["name"], owner["name"], sweep["name"])

    def sweep(self, path: SweepPath) -> ServerSweep:
        variables = {"entity": path.entity, "project": path.project, "sweep": path.id}
        project = self._server.ask(READ, variables, f"sweep {path}")["project"]
        if project is None or project["sweep"] is None:
            raise SweepNotFound(f"sweep {path}: the server at {self._server.host} does not know it")
        sweep = project["sweep"]
        return ServerSweep(
            path=path,
            url=self.url(path),
            config=yaml_file.parse(sweep["config"], f"sweep {path}") or {},
            state=sweep["state"],
            runs=tuple(_run(edge["node"]) for edge in sweep["runs"]["edges"]),
        )

    def url(self, path: SweepPath) -> str:
        """Return the address of the sweep's page."""
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
    """Return a filter in W&B's grammar that selects these runs."""
    return json.dumps({"$or": [{"name": run_id} for run_id in run_ids]})


def _run(node: Mapping[str, Any]) -> ServerRun:
    return ServerRun(node["name"], node["state"], unwrapped(json.loads(node["config"] or "{}")))


def _order(command: Mapping[str, Any]) -> Order | None:
    """Return a command's order, or None for kinds that the client does not know either."""
    kind = command["type"]
    if kind in ("run", "resume"):
        return Start(command["run_id"], unwrapped(command["args"]))
    if kind == "stop":
        return Stop(command["run_id"])
    return Leave() if kind == "exit" else None


def unwrapped(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{name: {"value": value}}`, as servers write a configuration, as `{name: value}`."""
    return {
        name: each["value"] if isinstance(each, Mapping) and "value" in each else each
        for name, each in values.items()
    }
