"""A run that a server has named and that cannot be a trial: the server hears that it failed."""

from audiocls.errors import ConfigError
from audiocls.store import StudyFolder
from audiocls.studies.native_trials import label_of
from audiocls.tracking import Ending, FinishReport, RunInfo
from audiocls.tracking import start as start_tracking
from audiocls.tracking.sweep_server import Start, SweepPath


def report_rejected_run(
    path: SweepPath, start: Start, study: StudyFolder, error: ConfigError
) -> FinishReport:
    """Open the run and end it as failed, its notes saying why; waits as every tracker does."""
    info = RunInfo(
        id=start.run_id,
        entity=path.entity,
        project=path.project,
        group=study.name,
        job_type="",
        name=label_of(start.parameters),
        tags=(),
        config=start.parameters,
        folder=study.path,
        notes=str(error),
        sweep_id=path.id,
    )
    return start_tracking("online", info).finish(Ending(exit_code=1))
