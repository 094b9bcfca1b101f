"""The shelves that hold the records, and how they are found."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wandb_server.records import ENTITY, Agent, Artifact, Place, Run, Sweep, View


class Refused(Exception):
    """An answer that is not 200, with the reason."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


@dataclass
class State:
    """Everything; whoever reads or writes it holds the lock."""

    url: str = ""
    """Where files are put and fetched."""
    projects: list[Place] = field(default_factory=list)
    runs: dict[tuple[str, str, str], Run] = field(default_factory=dict)
    deleted_runs: set[tuple[str, str, str]] = field(default_factory=set)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def enter(self, place: Place) -> Place:
        """The place, made if it was not there."""
        if place not in self.projects:
            self.projects.append(place)
        return place

    def run(self, place: Place, run_id: str) -> Run | None:
        return self.runs.get((*place, run_id))

    def add_run(self, run: Run) -> Run:
        self.enter(run.place)
        self.runs[*run.place, run.id] = run
        return run

    def known_run(self, place: Place, run_id: str) -> Run:
        run = self.run(place, run_id)
        if run is None:
            raise Refused(404, f"no run {run_id} in {'/'.join(place)}")
        return run

    def run_of_key(self, key: str) -> Run:
        for run in self.runs.values():
            if run.key == key:
                return run
        raise Refused(404, f"no run has the key {key}")

    def sweep(self, name_or_key: str) -> Sweep:
        for sweep in self.sweeps.values():
            if name_or_key in (sweep.id, sweep.key):
                return sweep
        raise Refused(404, f"could not find sweep {name_or_key}")

    def artifact(self, key: str) -> Artifact:
        if key not in self.artifacts:
            raise Refused(404, f"no artifact has the key {key}")
        return self.artifacts[key]

    def agent(self, key: str) -> Agent:
        if key not in self.agents:
            raise Refused(404, f"no agent has the key {key}")
        return self.agents[key]

    def runs_of(self, sweep: Sweep) -> list[Run]:
        found = (self.run(sweep.place, run_id) for run_id in sweep.run_ids)
        return [run for run in found if run]


def place_of(given: Mapping[str, Any], project: str = "projectName") -> Place:
    """The place that arguments name; W&B has defaults for both parts."""
    return given.get("entityName") or ENTITY, given.get(project) or "uncategorized"
