"""The trials of a sweep over an external program."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from audiocls.execution.external.code import ProgramCode
from audiocls.execution.job import (
    LONGEST_TAG,
    CommandJob,
    CommandSpec,
    TrackingConfig,
    TrialJob,
)
from audiocls.search import Sweep, block_of, fixed_keys
from audiocls.store import Proposal, StudyFolder
from audiocls.studies.native_trials import label_of


@dataclass(frozen=True)
class CommandTrials:
    """Each proposal as a command of the sweep's program, run where its code was read."""

    folder: StudyFolder
    sweep: Sweep
    code: ProgramCode
    tracking: TrackingConfig
    timeout_s: float | None = None

    def id_of(self, parameters: Mapping[str, Any]) -> str:
        """Return a digest of program, code, command, parameters; `1` equals `1.0`, as in W&B."""
        identity = {
            "program": self.sweep.program,
            "code": self.code.digest,
            "command": list(self.sweep.command),
            "parameters": plain(parameters),
        }
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def job_of(self, proposal: Proposal, run_id: str = "") -> CommandJob:
        label = label_of(proposal.parameters, fixed_keys(self.sweep.parameters))
        block = block_of(self.sweep, proposal.parameters)
        return TrialJob(
            id=proposal.id,
            label=label[:LONGEST_TAG],
            study=self.folder.tracked_name,
            study_folder=self.folder.path,
            trial=self.folder.trial(proposal.id),
            spec=replace(self._spec(), block=block),
            tracking=replace(self.tracking, run_id=run_id),
            **block,
            parameters=proposal.parameters,
        )

    def is_outdated(self) -> bool:
        """Whether the program was changed since its code was read."""
        return self.code.is_changed()

    def _spec(self) -> CommandSpec:
        sweep = self.sweep
        return CommandSpec(
            cwd=str(self.code.cwd),
            program=sweep.program,
            command=sweep.command,
            metric=sweep.metric.name if sweep.metric else "",
            timeout_s=self.timeout_s,
            code=self.code.digest,
        )


def plain(value: Any) -> Any:
    """Return `value` with whole numbers as integers, nested ones included."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
