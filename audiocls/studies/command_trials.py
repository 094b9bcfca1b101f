"""The trials of a sweep over anybody's program."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.execution.external.command import Command
from audiocls.execution.job import LONGEST_TAG, Places, Tracking
from audiocls.search import Sweep, fixed_keys
from audiocls.store import Proposal
from audiocls.studies.native_trials import label_of


@dataclass(frozen=True)
class CommandTrials:
    """Each proposal as a command of the sweep's program, run in `cwd`."""

    study: str
    sweep: Sweep
    cwd: Path
    places: Places
    tracking: Tracking
    timeout_s: float | None = None

    def id_of(self, parameters: Mapping[str, Any]) -> str:
        """Of program, command and parameters; `1` and `1.0` are one value, as to W&B."""
        identity = {
            "program": self.sweep.program,
            "command": list(self.sweep.command),
            "parameters": _plain(parameters),
        }
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def work_of(self, proposal: Proposal, run_id: str = "") -> Command:
        return Command(
            id=proposal.id,
            label=label_of(proposal.parameters, fixed_keys(self.sweep.parameters))[:LONGEST_TAG],
            study=self.study,
            folder=str(self.places.study / "trials" / proposal.id),
            study_path=str(self.places.study),
            parameters=proposal.parameters,
            cwd=str(self.cwd),
            project=self.tracking.project,
            entity=self.tracking.entity,
            wandb=self.tracking.wandb,
            program=self.sweep.program,
            command=self.sweep.command,
            metric=self.sweep.metric.name if self.sweep.metric else "",
            run_id=run_id,
            sweep_id=self.tracking.sweep_id,
            timeout_s=self.timeout_s,
        )


def _plain(value: Any) -> Any:
    """Whole numbers as integers, all the way down."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
