"""`RemoteWorker`: a worker on a node as the launch sees it, and what comes home of its trials."""

from dataclasses import dataclass, field
from typing import Any

from audiocls.errors import AudioclsError, MachineFault, UsageError
from audiocls.execution.cluster.node import Delivery, Node
from audiocls.execution.cluster.node_trial import TrialReport
from audiocls.execution.cluster.shipments import TrialShipment
from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Event, Failed, Interrupted, from_json
from audiocls.execution.provenance import code_digest, torch_version
from audiocls.store.same_numbers import canonical_code
from audiocls.store.transfer import Homecoming


@dataclass(eq=False)
class RemoteTrial:
    """A trial that a worker has, or gets once all that it needs is there."""

    job: AnyJob
    shipment: TrialShipment | None = None
    """What it waits for before it is sent; none of a program's."""
    is_sent: bool = False
    is_lost: bool = False
    """Whether another launch has it by now, or it cannot be written here: nothing of it comes home
    any more."""

    def look(self) -> bool:
        """Look whether all that it needs is there, or cannot be."""
        return self.shipment is None or self.shipment.look()

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a stage that another trial trains."""
        return self.shipment is not None and self.shipment.is_waiting

    def news(self) -> list[Event]:
        """Return what has not been told yet of the wait."""
        return self.shipment.news() if self.shipment else []

    def delivery(self, files: bytes) -> Delivery:
        """Return it with all that it needs of this machine."""
        if self.shipment is None:
            return Delivery(self.job.to_json(), files)
        return self.shipment.delivery(self.job, files)

    def free(self) -> None:
        """Let go of a stage that it has not trained to its end."""
        if self.shipment is not None and self.shipment.stage is not None:
            self.shipment.stage.give_back()

    def bring_home(self, report: TrialReport) -> list[Event]:
        """Write what it has sent, and return its events.

        Raises `LeaseLost` where another launch has taken it over.
        """
        if self.is_lost:
            return []
        if self.shipment is not None and self.shipment.stage is not None:
            self.shipment.stage.bring_home(report.stage)
        home = Homecoming(self.job.study_folder, self.job.trial)
        if report.rows:
            home.add_rows(report.rows.splitlines(), report.has_all_rows)
        if report.snapshot:
            home.keep(report.snapshot)
        if report.study:
            home.finish(report.study)
        return [*map(from_json, report.events)]


@dataclass(eq=False)
class RemoteWorker:
    """An actor, the one call that it has not answered yet, and the trials that it has."""

    actor: Any
    call: Any = None
    room: int = 1
    """Trials that it takes at once."""
    node: Node | None = None
    trials: dict[str, RemoteTrial] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """Its node, for people."""
        return self.node.host if self.node else "a node"

    @property
    def is_busy(self) -> bool:
        """Whether it trains, so that others have to wait."""
        return any(trial.is_sent for trial in self.trials.values())

    def num_free(self) -> int:
        """Return how many more trials it takes now."""
        return 0 if self.node is None or self.is_busy else max(0, self.room - len(self.trials))

    def unsent(self) -> dict[str, RemoteTrial]:
        """Return trials that it has not got yet."""
        return {name: trial for name, trial in self.trials.items() if not trial.is_sent}

    def ready(self) -> list[RemoteTrial]:
        """Return trials to be sent together, once none of them is still prepared.

        One that waits for another's stage comes later: the other may be among these.
        """
        is_open = self.node is not None and not self.is_busy
        trials = list(self.trials.values())[: self.room] if is_open else []
        ready = [trial for trial in trials if trial.look()]
        is_whole = all(trial in ready or trial.is_waiting for trial in trials)
        return ready if is_whole else []

    def free(self, trial_id: str) -> None:
        """Let go of a trial, and of a stage that it has not trained to its end."""
        self.trials.pop(trial_id).free()

    def bring_home(self, report: TrialReport) -> list[Event]:
        """Write what a trial has sent, and return its events.

        Raises `LeaseLost` where another launch has taken the trial over.
        """
        if (trial := self.trials.get(report.id)) is None:
            return []
        events = trial.bring_home(report)
        if report.is_last:
            self.free(report.id)
        return events


def unsendable(trial_id: str, fault: AudioclsError) -> Failed | Interrupted:
    """Return the end of a trial whose data or stage cannot be made."""
    if isinstance(fault, MachineFault):
        return Interrupted(trial_id, fault=str(fault))
    return Failed(trial_id, "data", str(fault))


def require_same(node: Node) -> None:
    """Raise `UsageError` where trials of a node would not compare with those of this machine.

    Nor with what was asked for: trials that were to have a GPU are not trained on a core.
    """
    if node.obstacle:
        raise UsageError(
            f"--executor ray: {node.host} cannot train on the GPUs that it offers: {node.obstacle}."
            " Mend that node, take it out of the cluster, or train on cores with --devices cpu"
        )
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
