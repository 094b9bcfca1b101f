"""Logs a study's answer to W&B as one run: a table and a picture, once, online."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import wandb

TABLE, PICTURE = "pairs", "paired_differences"
"""Keys of the run's summary."""
INIT_TIMEOUT_S = 30.0
FINISH_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class AnswerRun:
    """The run, in W&B's terms, and what it holds."""

    id: str
    group: str
    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    picture: bytes
    """A PNG."""


def log_report(run: AnswerRun, entity: str, project: str) -> None:
    """Upload it; a second time under the same id changes nothing but the run's history.

    Raises what W&B raises. Its files lie in a temporary folder, so that no study's `sync` meets
    them.
    """
    with TemporaryDirectory(prefix="audiocls-answer-") as folder:
        picture = Path(folder, "pairs.png")
        picture.write_bytes(run.picture)
        opened = wandb.init(
            entity=entity,
            project=project,
            id=run.id,
            group=run.group,
            job_type="answer",
            name=run.name,
            dir=folder,
            mode="online",
            resume="allow",
            reinit="finish_previous",
            settings=_lean_settings(),
        )
        table = wandb.Table(columns=list(run.columns), data=[list(row) for row in run.rows])
        opened.log({TABLE: table, PICTURE: wandb.Image(str(picture))})
        opened.finish()


def _lean_settings() -> wandb.Settings:
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        finish_timeout=FINISH_TIMEOUT_S,
        init_timeout=INIT_TIMEOUT_S,
        silent=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
