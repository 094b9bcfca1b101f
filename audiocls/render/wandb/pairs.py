"""The pairs of an answer as a W&B run of its own, since no panel can pair the runs of two arms.

The run holds a table, a line an arm and block, and the picture of the page; the report shows both.
"""

import hashlib
import json
from io import BytesIO

from audiocls.analysis.results import Comparison
from audiocls.render.figures import paired_differences
from audiocls.render.wandb.workspaces_adapter import Panel, wr
from audiocls.tracking.wandb.report_run import PICTURE, TABLE, AnswerRun

COLUMNS = ("arm", "block", "seed", "fold", "difference")


def has_pairs(comparison: Comparison) -> bool:
    """Whether any arm has a difference to show."""
    return any(result.differences for result in comparison.arms)


def answer_id(comparison: Comparison) -> str:
    """The same for the same answer, so that a report always shows the pairs it speaks of."""
    told = [comparison.study, comparison.metric, comparison.margin]
    arms = [(result.arm, result.verdict, result.differences) for result in comparison.arms]
    digest = hashlib.sha256(json.dumps([told, arms]).encode()).hexdigest()
    return f"answer-{digest[:12]}"


def answer_run(comparison: Comparison) -> AnswerRun:
    """What the report needs to find on the server; in a group beside the study's own."""
    return AnswerRun(
        id=answer_id(comparison),
        group=f"{comparison.study} (answers)",
        name=f"pairs of {comparison.study}",
        columns=COLUMNS,
        rows=_rows(comparison),
        picture=_png(comparison),
    )


def _rows(comparison: Comparison) -> tuple[tuple[str | int | float, ...], ...]:
    """Blocks are numbered from 1 in the order of seed and fold, over all arms."""
    blocks = sorted({(s, f) for result in comparison.arms for s, f, _ in result.differences})
    place = {block: number for number, block in enumerate(blocks, 1)}
    return tuple(
        (result.arm, place[seed, fold], seed, fold, difference * comparison.scale)
        for result in comparison.compared
        for seed, fold, difference in sorted(result.differences)
    )


def _png(comparison: Comparison) -> bytes:
    figure = paired_differences(comparison)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def pair_panels(comparison: Comparison) -> list[Panel]:
    """The picture, and a line an arm over the blocks to read values from."""
    unit = " in points" if comparison.scale == 100 else ""
    title = f"difference of {comparison.metric}{unit}, arm − {comparison.other_side}"
    return [
        wr.MediaBrowser(title="Paired differences", num_columns=1, media_keys=[PICTURE]),
        wr.CustomChart(
            query={"summaryTable": {"tableKey": TABLE}},
            chart_name="wandb/lineseries/v0",
            chart_fields={"step": "block", "lineKey": "arm", "lineVal": "difference"},
            chart_strings={"title": title, "xname": "block (seed and fold)"},
        ),
    ]
