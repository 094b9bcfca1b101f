"""A study's report as one W&B run: a table and a figure, uploaded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import wandb

from audiocls.tracking.wandb.run import lean_settings

TABLE, FIGURE = "pairs", "paired_differences"
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
    figure_png: bytes


def log_report(run: AnswerRun, entity: str, project: str) -> None:
    """Upload the report; a second upload under the same id only adds to the run's history.

    Raises what W&B raises. The run's files are in a temporary folder, where no `sync` finds them.
    """
    with TemporaryDirectory(prefix="audiocls-answer-") as folder:
        figure = Path(folder, "pairs.png")
        figure.write_bytes(run.figure_png)
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
            settings=lean_settings(
                finish_timeout=FINISH_TIMEOUT_S,
                init_timeout=INIT_TIMEOUT_S,
                x_disable_stats=True,
            ),
        )
        table = wandb.Table(columns=list(run.columns), data=[list(row) for row in run.rows])
        opened.log({TABLE: table, FIGURE: wandb.Image(str(figure))})
        opened.finish()
