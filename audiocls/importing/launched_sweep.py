"""A sweep that was launched here: its trials as runs, for settings to be compared in pairs."""

from collections.abc import Sequence
from pathlib import Path

from audiocls.dotted import flatten
from audiocls.errors import UsageError
from audiocls.importing.results import Results
from audiocls.store import Proposal, StudyFolder, folder_name
from audiocls.studies.status import sweep_of
from audiocls.tracking.project import RemoteRun

STATES = {"done": "finished", "running": "running", "pending": "pending", "failed": "failed"}


def sweep_folder(source: str, runs: Path) -> StudyFolder | None:
    """Return the folder of a launched sweep that `source` means, by its path or by its name."""
    for path in (Path(source).expanduser(), runs / source):
        folder = StudyFolder(path)
        if folder.exists() and folder.is_sweep():
            return folder
    return None


def name_by_arms(sweep: str, keys: Sequence[str]) -> str:
    """Return the name of the study of a sweep's settings, beside the sweep itself.

    >>> name_by_arms("search", ["optim.lr", "dropout"])
    'search-by-optim.lr-dropout'
    """
    return folder_name(f"{sweep}-by-{'-'.join(keys) or 'setting'}")


def read_sweep(folder: StudyFolder) -> Results:
    """Return the trials with the present code of the sweep's program.

    Raises `UsageError` where none was proposed.
    """
    study = folder.study()
    sweep, proposals = sweep_of(folder, study), folder.proposals()
    if not proposals:
        raise UsageError(f"{folder.path}: no trial was proposed yet; launch it first")
    metric = sweep.metric
    plan = study.search
    assert plan is not None
    return Results(
        folder.name,
        [_run_of(folder, proposal) for proposal in proposals],
        "sweep",
        "trial",
        identity=str(folder.path.resolve()),
        metric=metric.name if metric else None,
        goal=metric.goal if metric else None,
        seed=sweep.blocks.get("seed"),
        fold=sweep.blocks.get("fold"),
        program=plan.runs,
        code=plan.code,
        trial_of=folder.trial,
    )


def _run_of(folder: StudyFolder, proposal: Proposal) -> RemoteRun:
    trial = folder.trial(proposal.id)
    record = trial.record()
    return RemoteRun(
        id=proposal.id,
        name=proposal.id,
        state=STATES.get(trial.state(), "failed"),
        config=flatten(proposal.parameters),
        summary=record.metrics if record else {},
        created=record.provenance.started if record else "",
    )
