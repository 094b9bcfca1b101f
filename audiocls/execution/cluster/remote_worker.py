"""`RemoteWorker`: a worker on a node as the launch sees it, and what comes home of its trial."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audiocls.errors import AudioclsError, MachineFault, UsageError
from audiocls.execution.cluster.node import Node, Report, has_ended
from audiocls.execution.cluster.shipments import StageShipment, TrialShipment
from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Event, Failed, Interrupted, from_json
from audiocls.execution.provenance import code_digest, torch_version
from audiocls.store.same_numbers import canonical_code
from audiocls.store.transfer import Homecoming


@dataclass(eq=False)
class RemoteWorker:
    """An actor, the one call that it has not answered yet, and the trial that it has."""

    actor: Any
    call: Any = None
    node: Node | None = None
    job: AnyJob | None = None
    shipment: TrialShipment | None = None
    """What its trial waits for."""
    stage: StageShipment | None = None
    """The pre-training of its trial, which it may have to train."""

    @property
    def where(self) -> str:
        """Its node, for people."""
        return self.node.host if self.node else "a node"

    def assign(self, job: AnyJob, shipment: TrialShipment) -> None:
        """Give it a trial that may have to wait."""
        self.job, self.shipment, self.stage = job, shipment, shipment.stage

    def free(self) -> None:
        """Let go of its trial, and of a stage that it has not trained to its end."""
        if self.stage is not None:
            self.stage.give_back()
        self.job = self.shipment = self.stage = None

    def bring_home(self, report: Report) -> Sequence[Event]:
        """Write what its trial has sent, and return its events.

        Raises `LeaseLost` where another launch has taken the trial over.
        """
        job = self.job
        if job is None:
            return []
        if self.stage is not None:
            self.stage.bring_home(report.stage)
        home, events = Homecoming(job.study_folder, job.trial), [*map(from_json, report.events)]
        if report.rows:
            home.add_rows(report.rows.splitlines(), report.has_all_rows)
        if report.snapshot:
            home.keep(report.snapshot)
        if report.study:
            home.finish(report.study)
        if has_ended(events):
            self.free()
        return events


def unsendable(trial_id: str, fault: AudioclsError) -> Failed | Interrupted:
    """Return the end of a trial whose data or stage cannot be made."""
    if isinstance(fault, MachineFault):
        return Interrupted(trial_id, fault=str(fault))
    return Failed(trial_id, "data", str(fault))


def require_same(node: Node) -> None:
    """Raise `UsageError` where trials of a node would not compare with those of this machine."""
    pairs = {
        "code of audiocls": (canonical_code(node.code), canonical_code(code_digest())),
        "torch": (node.torch.partition("+")[0], torch_version().partition("+")[0]),
    }
    for what, (theirs, mine) in pairs.items():
        if theirs != mine:
            raise UsageError(
                f"--executor ray: {node.host} has other {what} ({theirs}, here {mine}): results "
                "would not compare. Install the same on every node"
            )
