"""Agents of sweeps: each heartbeat tells what runs, and is answered with what to do."""

import json
from collections.abc import Mapping
from typing import Any

from wandb_server.engine import next_run, to_stop
from wandb_server.graphql import Arguments, Resolver
from wandb_server.records import Agent, Run, Sweep, fresh_name, key_of, now
from wandb_server.state import State

Command = Mapping[str, Any]


def mutations(state: State) -> dict[str, Resolver]:
    """The operations of agents."""

    def create(arguments: Arguments) -> object:
        given = arguments["input"]
        sweep = state.sweep(given["sweep"])
        agent = Agent(key_of("Agent", fresh_name()), sweep.id, given["host"])
        state.agents[agent.id] = agent
        return {"agent": {"id": agent.id}}

    def beat(arguments: Arguments) -> object:
        given = arguments["input"]
        agent = state.agent(given["id"])
        busy = json.loads(given.get("runState", "{}"))
        return {
            "agent": {"id": agent.id},
            "commands": json.dumps(_commands(state, agent, busy)),
        }

    return {"createAgent": create, "agentHeartbeat": beat}


def _commands(state: State, agent: Agent, busy: Mapping[str, bool]) -> list[Command]:
    """What the agent is to do; `busy` maps the runs it has to whether they are alive."""
    sweep = state.sweep(agent.sweep)
    agent.heartbeat_at = now()
    _notice_crashes(state, sweep, agent, busy)
    is_idle = not any(busy.values())
    if sweep.state == "CANCELED" or (sweep.state == "FINISHED" and is_idle):
        return [_command("exit")]
    stops = _stops(state, sweep, busy)
    if stops or not is_idle or sweep.state in ("PAUSED", "FINISHED"):
        return stops
    sweep.state = "RUNNING"
    return [_start(state, sweep, agent)]


def _notice_crashes(state: State, sweep: Sweep, agent: Agent, busy: Mapping[str, bool]) -> None:
    """A run that its agent has lost, and that has not said how it ended, has crashed."""
    for run in state.runs_of(sweep):
        is_lost = run.agent == agent.id and run.id in agent.seen - busy.keys()
        if is_lost and run.state in ("running", "pending"):
            run.state = "killed" if run.is_to_stop else "crashed"
    agent.seen |= busy.keys()


def _stops(state: State, sweep: Sweep, busy: Mapping[str, bool]) -> list[Command]:
    for run in to_stop(state, sweep):
        run.is_to_stop = True
    return [
        _command("stop", run_id=run.id)
        for run in state.runs_of(sweep)
        if run.is_to_stop and run.id in busy
    ]


def _start(state: State, sweep: Sweep, agent: Agent) -> Command:
    preempted = [run for run in state.runs_of(sweep) if run.state == "preempted"]
    if preempted:
        return _hand("resume", preempted[0], sweep, agent)
    run = next_run(state, sweep)
    if run:
        return _hand("run", run, sweep, agent)
    if not any(run.state in ("running", "pending") for run in state.runs_of(sweep)):
        sweep.state = "FINISHED"
    return _command("exit")


def _hand(type_: str, run: Run, sweep: Sweep, agent: Agent) -> Command:
    agent.seen.add(run.id)
    run.agent, run.state = agent.id, "pending"
    program = sweep.config.get("program", "train.py")
    args = run.wrapped_config if run.proposal is None else run.proposal
    return _command(type_, run_id=run.id, program=program, args=args, logs=[])


def _command(type_: str, **fields: object) -> Command:
    return {"type": type_, "id": fresh_name(), **fields}
