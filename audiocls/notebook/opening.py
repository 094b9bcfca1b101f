"""`open_report`: a notebook's first line, for studies on this disk and for projects of W&B."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiocls.errors import UsageError, did_you_mean
from audiocls.store import Request
from audiocls.store.study import StudyFolder, folder_name, open_study
from audiocls.studies.reports import StudyReport, load_report

WANDB = "wandb:"
OPTIONS = ("study", "arm", "baseline", "seed", "fold", "metric", "goal", "group", "where")
"""What may be said of a project, as by the options of `audiocls sweep import`."""


def open_report(
    study: str, runs: str | Path = "runs", wandb: Mapping[str, Any] | None = None
) -> StudyReport:
    """Return a study's report by its name in `runs`, its path, or `wandb:ENTITY/PROJECT[/SWEEP]`.

    `runs` is looked for in the working folder and in those above it, since Jupyter starts in the
    notebook's own. Of a project whose runs audiocls did not log, `wandb` says what is what:
    `{"arm": "use_sam", "baseline": "use_sam=false", "seed": "random_state", "metric": "acc"}`, with
    `where`, a filter in W&B's grammar, and the other options of `audiocls sweep import`.
    """
    options = dict(wandb or {})
    if study.startswith(WANDB):
        return load_report(_imported(study.removeprefix(WANDB), options))
    if options:
        raise UsageError(
            f"study {study!r} is read from this disk, and `wandb` is for projects: leave it empty, "
            f"or call the study {WANDB}ENTITY/PROJECT"
        )
    return load_report(open_study(study, _runs_folder(Path(runs))))


def _runs_folder(runs: Path) -> Path:
    here = Path.cwd()
    return next((f / runs for f in (here, *here.parents) if (f / runs).is_dir()), runs)


def _imported(project: str, options: dict[str, Any]) -> StudyFolder:
    """Return the project as a study in a folder of its own, removed when this process ends."""
    from audiocls.importing.cells import ImportOptions
    from audiocls.importing.wandb_project import import_study, source_of
    from audiocls.tracking.wandb.connection import Connection
    from audiocls.tracking.wandb.project import WandbProject

    _check(options)
    source = source_of(project, options.pop("group", None), options.pop("where", None))
    keys = options.pop("arm", ())
    name = options.pop("study", folder_name(project.rpartition("/")[2]))
    import_options = ImportOptions(
        name, arm=(keys,) if isinstance(keys, str) else tuple(keys), **options
    )
    temporary = Path(tempfile.mkdtemp(prefix="audiocls-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    folder = StudyFolder(temporary / name)
    request = Request("sweep import", project)
    import_study(folder, WandbProject(Connection()), source, import_options, request, _unwatched)
    return folder


def _check(options: Mapping[str, Any]) -> None:
    for name in options:
        if name not in OPTIONS:
            allowed = ", ".join(OPTIONS)
            raise UsageError(
                f"wandb: got {name!r}; allowed: {allowed}.{did_you_mean(name, OPTIONS)}"
            )


def _unwatched(done: int, total: int) -> None:
    """Yield nothing: a notebook shows what is there at the end."""
