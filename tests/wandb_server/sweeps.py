"""Sweeps: made, changed and asked about; what comes next and what stops is W&B's own engine's."""

import json
from collections.abc import Mapping
from math import prod
from typing import Any

import yaml

from wandb_server import small_types
from wandb_server.engine import complete, violations
from wandb_server.filters import matches
from wandb_server.graphql import Arguments, Resolver, edges
from wandb_server.records import Agent, Place, Sweep, SweepState, fresh_name
from wandb_server.runs import fields_of as fields_of_run
from wandb_server.runs import join
from wandb_server.state import Refused, State, place_of


def mutations(state: State) -> dict[str, Resolver]:
    """The operations that write sweeps."""

    def upsert(arguments: Arguments) -> object:
        given = arguments["input"]
        sweep = state.sweep(given["id"]) if "id" in given else _made(state, given)
        if "config" in given:
            sweep.text, sweep.config = given["config"], _parsed(given["config"])
        sweep.display_name = given.get("displayName", sweep.display_name)
        sweep.description = given.get("description", sweep.description)
        sweep.controller = given.get("controller", sweep.controller)
        sweep.scheduler = given.get("scheduler", sweep.scheduler)
        set_state(state, sweep, given.get("state", sweep.state))
        return {
            "sweep": fields_of(sweep, state),
            "configValidationWarnings": violations(sweep) if "config" in given else [],
        }

    return {"upsertSweep": upsert}


def fields_of_project(place: Place, state: State) -> dict[str, object]:
    """What a project knows of its sweeps."""

    def here() -> list[Sweep]:
        return [sweep for sweep in state.sweeps.values() if sweep.place == place]

    def one(arguments: Arguments) -> object:
        name = arguments["sweepName"]
        found = [sweep for sweep in here() if name in (sweep.id, sweep.key)]
        return fields_of(found[0], state) if found else None

    return {
        "sweep": one,
        "totalSweeps": lambda _: len(here()),
        "sweeps": lambda arguments: edges([fields_of(sweep, state) for sweep in here()], arguments),
    }


def fields_of(sweep: Sweep, state: State) -> dict[str, object]:
    """A sweep in W&B's schema."""

    def runs(arguments: Arguments) -> object:
        found = state.runs_of(sweep)
        return edges([fields_of_run(run, state) for run in found], arguments)

    def agent(arguments: Arguments) -> object:
        found = state.agents.get(arguments["agentName"])
        return _fields_of_agent(found, state) if found else None

    agents = [agent for agent in state.agents.values() if agent.sweep == sweep.id]
    return {
        "__typename": "Sweep",
        "id": sweep.key,
        "name": sweep.id,
        "displayName": sweep.display_name or sweep.config.get("name"),
        "method": sweep.config["method"],
        "state": sweep.state,
        "description": sweep.description,
        "bestLoss": lambda _: _best(sweep, state),
        "config": sweep.text,
        "createdAt": sweep.created_at,
        "updatedAt": sweep.created_at,
        "heartbeatAt": sweep.created_at,
        "runCount": lambda _: len(state.runs_of(sweep)),
        "runCountExpected": _num_expected(sweep),
        "earlyStopJobRunning": False,
        "controller": sweep.controller,
        "scheduler": sweep.scheduler,
        "controllerRunName": None,
        "project": small_types.project(sweep.place),
        "runs": runs,
        "agent": agent,
        "agents": edges([_fields_of_agent(agent, state) for agent in agents]),
    }


def set_state(state: State, sweep: Sweep, wanted: SweepState) -> None:
    """A cancelled sweep also stops its runs."""
    sweep.state = wanted
    if wanted == "CANCELED":
        for run in state.runs_of(sweep):
            if run.state in ("running", "pending"):
                run.is_to_stop = True


def _made(state: State, given: Mapping[str, Any]) -> Sweep:
    entity, project = state.enter(place_of(given))
    config = _parsed(given["config"])
    sweep = Sweep(fresh_name(), project, entity, given["config"], config)
    state.sweeps[sweep.id] = sweep
    if "priorRunsFilters" in given:
        wanted = json.loads(given["priorRunsFilters"])
        for run in state.runs.values():
            if run.place == sweep.place and matches(run, wanted):
                join(run, sweep)
                sweep.prior_runs.append(run.id)
    return sweep


def _parsed(text: str) -> dict[str, Any]:
    config = yaml.safe_load(text)
    if not isinstance(config, dict) or "method" not in config:
        raise Refused(400, "invalid sweep config: it must contain a method")
    return config


def _best(sweep: Sweep, state: State) -> float | None:
    metric = complete(sweep).get("metric", {})
    values = [run.summary.get(metric.get("name")) for run in state.runs_of(sweep)]
    numbers = [value for value in values if isinstance(value, int | float)]
    best = max if metric.get("goal") == "maximize" else min
    return best(numbers, default=None)


def _num_expected(sweep: Sweep) -> int | None:
    cap: int | None = sweep.config.get("run_cap")
    if sweep.config["method"] != "grid":
        return cap
    size = prod(len(each.get("values", [0])) for each in sweep.config["parameters"].values())
    return size if cap is None else min(size, cap)


def _fields_of_agent(agent: Agent, state: State) -> dict[str, object]:
    runs = [run for run in state.runs.values() if run.agent == agent.id]
    return {
        "__typename": "Agent",
        "id": agent.id,
        "name": agent.id,
        "host": agent.host,
        "state": "RUNNING",
        "totalRuns": len(runs),
        "createdAt": agent.created_at,
        "heartbeatAt": agent.heartbeat_at,
        "runs": lambda arguments: edges([fields_of_run(run, state) for run in runs], arguments),
    }
