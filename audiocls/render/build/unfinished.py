"""What a study shows of its arms while it runs: effects and their precision, and no verdict."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from audiocls.analysis.results import ArmResult, Comparison, Failed
from audiocls.analysis.unfinished import SoFar
from audiocls.formatting import (
    NONE,
    format_count,
    format_duration,
    format_fixed,
    num_decimals,
    plural,
)
from audiocls.render.build.headline import headline
from audiocls.render.build.values import to_json
from audiocls.render.build.verdicts import missing
from audiocls.render.document import Block, Command, Document, Headline, Note, Section, Title
from audiocls.render.table import Cell, Column, Depth, Estimate, Table


def unfinished(so_far: SoFar, failures: Sequence[Failed], command: str) -> Document:
    """Return the document of a study of which no verdict is due; `command` goes on with it."""
    comparison = so_far.comparison
    blocks = (
        Title(comparison.study, comparison.question),
        Headline(headline(comparison)),
        *so_far_blocks(so_far),
        *missing(comparison, failures),
        Section("Go on", (Command(command),), depth=Depth.TEXT),
    )
    return Document(comparison.study, blocks, data=partial(_values, comparison))


def _values(comparison: Comparison) -> dict[str, Any]:
    return to_json(comparison) | {"next": []}


def so_far_blocks(so_far: SoFar) -> Iterator[Block]:
    """Yield the effects so far and when verdicts are due."""
    comparison, planned, next_look = so_far.comparison, so_far.planned, so_far.next_look
    num = max(planned.values(), default=0)
    when = f"at the next look, with {plural(next_look, 'pair')}" if next_look else ""
    when = when or f"when {'all ' * (num > 1)}{plural(num, 'pair')} of each arm are in"
    note = (
        f"Verdicts are due {when}. Until then an effect may change, even in its sign; to stop as "
        "soon as one looks good would raise the rate of false findings."
    )
    how = (
        f"± is half the {comparison.interval_level} interval of a difference by itself, from the "
        "pairs so far."
    )
    caption = (comparison.question, headline(comparison), note, how)
    table = replace(effects_so_far(comparison, planned), caption=caption)
    yield Section("Effects so far", (Note(note), table, Note(how)))


def effects_so_far(comparison: Comparison, planned: Mapping[str, int]) -> Table:
    """Return a row an arm, the baseline first, without words or colours of verdicts."""
    unit = "%" if comparison.scale == 100 else ""
    table = Table(
        columns=(
            Column("arm", "name"),
            Column("against", "name"),
            Column("pairs"),
            Column("Δ so far", unit="points" if unit else ""),
            Column("±"),
            Column(comparison.metric, unit=unit),
            Column("time", drop=2),
            Column("params", drop=1),
            Column("reason", "remark"),
        ),
        rows=tuple(_row(comparison, arm, planned) for arm in comparison.arms),
        label=f"{comparison.study}-so-far",
    )
    return table if comparison.has_references else table.without("against")


def _row(comparison: Comparison, arm: ArmResult, planned: Mapping[str, int]) -> tuple[Cell, ...]:
    scale, is_baseline = comparison.scale, arm.verdict == "baseline"
    is_refused = arm.verdict == "not_comparable"
    reason = arm.reason.removesuffix(f"; at look {arm.look}") if is_refused else ""
    num = planned.get(arm.arm, 0)
    return (
        arm.arm,
        "" if is_baseline else arm.against,
        NONE if is_baseline else f"{arm.num_pairs} of {num}",
        Estimate(arm.delta, None, None, scale, is_signed=True),
        _precision(arm, scale),
        Estimate(arm.mean, None, None, scale),
        format_duration(arm.seconds),
        format_count(arm.num_params),
        reason,
    )


def _precision(arm: ArmResult, scale: int) -> str:
    """Return half the interval; its longer half where it ends at what a share can reach."""
    if arm.delta is None or arm.ci_low is None or arm.ci_high is None:
        return NONE
    half = scale * max(arm.ci_high - arm.delta, arm.delta - arm.ci_low)
    return format_fixed(half, num_decimals(half))
