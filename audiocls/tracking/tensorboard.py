"""TensorBoard as a tracker: one trial is one folder of event files.

It needs no account. TensorBoard is an extra, `pip install 'audiocls[tensorboard]'`; only this
module imports it.
"""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import Any

from audiocls.errors import UsageError
from audiocls.tracking import Ending, FinishReport, RunInfo
from audiocls.tracking.breakdown import ScoreBreakdown


def require_tensorboard() -> None:
    """Raise `UsageError` where TensorBoard is not installed, without importing it."""
    if find_spec("tensorboard") is None:
        raise UsageError(
            "tensorboard is not installed, and a tracker needs it: "
            "run `pip install 'audiocls[tensorboard]'`, or track without TensorBoard"
        )


class TensorboardRun:
    """Writes into `folder`, one trial's own; every method may raise what the disk raises.

    A later attempt in the same folder replaces the earlier one: it logs the history again, and
    TensorBoard hides what was written before that.
    """

    def __init__(self, folder: Path, info: RunInfo):
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=0)
        self._epoch = 0
        self._writer.add_text("about", _as_text(_about(info)), 0)
        self._writer.add_text("config", _as_text(info.config), 0)
        for row in info.history:
            self.log(row)

    def log(self, row: Mapping[str, Any]) -> None:
        """Write one row at its `epoch`; it is on the disk when this returns."""
        self._epoch = int(row.get("epoch", self._epoch))
        self._add_numbers({name: row[name] for name in row if name != "epoch"})
        self._writer.flush()

    def finish(self, ending: Ending) -> FinishReport:
        """Write the summary, its numbers at the last epoch, and the breakdown of the test clips."""
        self._add_numbers(ending.summary)
        text = _as_text({**ending.summary, "exit_code": ending.exit_code})
        self._writer.add_text("summary", text, self._epoch)
        if ending.evidence is not None:
            self._show(ending.evidence())
        self._writer.close()
        return FinishReport()

    def _show(self, evidence: ScoreBreakdown) -> None:
        """Write the table of classes as text, and the misclassified clips as sound."""
        self._writer.add_text("test/classes", _as_table(evidence), self._epoch)
        for number, clip in enumerate(evidence.misclassified, 1):
            name = f"test/misclassified {number}: {clip.truth} as {clip.predicted}, {clip.clip}"
            self._writer.add_audio(name, clip.wave, self._epoch, evidence.sample_rate)

    def _add_numbers(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, Real):
                self._writer.add_scalar(name, float(value), self._epoch)


def _about(info: RunInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "project": info.project,
        "group": info.group,
        "job_type": info.job_type,
        "name": info.name,
        "tags": list(info.tags),
        "notes": info.notes,
    }


def _as_text(values: Mapping[str, Any]) -> str:
    """Return JSON as a Markdown code block, which is indented by four."""
    lines = json.dumps(dict(values), indent=2, ensure_ascii=False, default=str).splitlines()
    return "\n".join(f"    {line}" for line in lines)


def _as_table(evidence: ScoreBreakdown) -> str:
    """Return a Markdown table with a row for each class."""
    lines = ["| class | precision | recall | F1 | clips |", "|---|---|---|---|---|"]
    for row in evidence.classes:
        values = ("–" if v is None else f"{v:.3f}" for v in (row.precision, row.recall, row.f1))
        lines.append(f"| {row.label} | {' | '.join(values)} | {row.support} |")
    return "\n".join(lines)
