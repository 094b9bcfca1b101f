"""What a sweep does next and what it stops: decided by W&B's own engine."""

import json
import warnings
from functools import cache
from types import ModuleType
from typing import Any

from wandb_server.records import Run, Sweep, fresh_name
from wandb_server.runs import join
from wandb_server.state import State


def next_run(state: State, sweep: Sweep) -> Run | None:
    """A new run of the sweep, unless all have been proposed."""
    runs = state.runs_of(sweep)
    if len(runs) >= sweep.config.get("run_cap", float("inf")):
        return None
    chosen = _engine().next_run(complete(sweep), [_for_engine(run) for run in runs])
    if chosen is None:
        return None
    proposal = json.loads(json.dumps(chosen.config, default=lambda number: number.item()))
    run = Run(fresh_name(), sweep.project, sweep.entity, state="pending", proposal=proposal)
    run.wrapped_config = dict(proposal)
    run.display_name = f"sweep-run-{len(runs) + 1}"
    join(run, sweep)
    return state.add_run(run)


def to_stop(state: State, sweep: Sweep) -> list[Run]:
    """Runs that early termination ends now."""
    if "early_terminate" not in sweep.config:
        return []
    runs = {run.id: run for run in state.runs_of(sweep)}
    stopped = _engine().stop_runs(complete(sweep), [_for_engine(run) for run in runs.values()])
    return [runs[run.name] for run in stopped if not runs[run.name].is_to_stop]


@cache
def _engine() -> ModuleType:
    with warnings.catch_warnings(action="ignore"):  # the package is older than its pydantic
        import sweeps
    return sweeps


def _for_engine(run: Run) -> Any:
    return _engine().SweepRun(
        name=run.id,
        state=run.state,
        config=run.wrapped_config if run.proposal is None else run.proposal,
        summary_metrics=run.summary,
        history=run.history,
        should_stop=run.is_to_stop,
        exitcode=run.exit_code,
    )


def complete(sweep: Sweep) -> dict[str, Any]:
    """The configuration with the defaults that the engine reads without asking."""
    if "metric" not in sweep.config:
        return sweep.config
    defaults = {"goal": "minimize", "impute": "worst"}
    return sweep.config | {"metric": defaults | sweep.config["metric"]}


def violations(sweep: Sweep) -> list[str]:
    return list(_engine().schema_violations_from_proposed_config(sweep.config))
