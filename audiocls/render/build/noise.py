"""The noise of a baseline as a document: its components of variance, and those of a difference."""

import math
from collections.abc import Iterator
from dataclasses import replace

from audiocls.analysis.noise import Noise
from audiocls.formatting import format_fixed, num_decimals, scale_of
from audiocls.render.document import Block, Document, Note, Runs, Section, Text, Title
from audiocls.render.run_selection import RunSelection
from audiocls.render.table import Column, Table
from audiocls.stats import StdEstimate

METHOD = (
    "Differences are those of two arms as noisy as the baseline, on one fold with one seed. What "
    "lasts over seeds no single arm can tell: its variance is taken to be a quarter of that of "
    "single recordings."
)
ONE_SEED = "One seed cannot tell how much trainings vary, nor so two arms; two seeds can."


def noise(
    measured: Noise, goal: str, question: str = "", selection: RunSelection | None = None
) -> Document:
    """Return the document, in points where the metric is a share to be maximised (`goal`)."""
    scale = scale_of(goal, [measured.mean])
    method = METHOD if measured.spread else ONE_SEED
    remarks = (f"Mean {_number(measured.mean * scale)}. {method}", *_sampling(measured, scale))
    title = f"{measured.metric} over {measured.grid}"
    caption = (f"{measured.study}: {title}.", *remarks)
    table = replace(noise_table(measured, scale), caption=caption)
    blocks: tuple[Block, ...] = (
        Title(measured.study, question),
        Section(title, (table, *map(Text, remarks), *map(Note, _notes(measured)))),
        *((Runs(selection),) if selection else ()),
    )
    return Document(name=measured.study, blocks=blocks, data=measured.to_mapping)


def noise_table(measured: Noise, scale: int) -> Table:
    """Return a row for each source of variance, and for each of the difference of two arms."""
    sources, differences = measured.sources, _differences(measured)
    largest = max([*(spread.sd for spread in sources.values()), *differences.values()])
    decimals = num_decimals(largest * scale)
    rows = [(name, *_cells(spread, scale, decimals)) for name, spread in sources.items()]
    rows += [(name, format_fixed(sd * scale, decimals), "") for name, sd in differences.items()]
    return Table(
        label=f"{measured.study}-sources",
        columns=(
            Column("source", "word"),
            Column("sd", unit="points" if scale == 100 else ""),
            Column("95 % interval"),
        ),
        rows=tuple(rows),
    )


def _differences(measured: Noise) -> dict[str, float]:
    """Return the sds of the difference of two arms by source; none where one seed was measured."""
    if (spread := measured.spread) is None:
        return {}
    return {
        "difference: single recordings": math.sqrt(spread.by_clip),
        "difference: whole trainings": math.sqrt(spread.whole),
        "difference: lasting (assumed)": math.sqrt(spread.lasting),
        "difference of two arms": math.sqrt(spread.by_clip + spread.whole + spread.lasting),
    }


def _cells(spread: StdEstimate, scale: int, decimals: int) -> tuple[str, str]:
    sd, low, high = (
        format_fixed(v * scale, decimals) for v in (spread.sd, spread.low, spread.high)
    )
    return sd, f"{low} to {high}"


def _number(value: float) -> str:
    return format_fixed(value, num_decimals(value))


def _sampling(measured: Noise, scale: int) -> Iterator[str]:
    if measured.sampling is not None:
        error = measured.sampling * scale
        clips = f"{measured.num_test} clips on a fold"
        number = format_fixed(error, num_decimals(error) + 1)
        yield f"Test-set sampling alone ({clips}): ±{number}."


def _notes(measured: Noise) -> Iterator[str]:
    if measured.mixed:
        differing = ", ".join(measured.mixed)
        yield f"Trials of different {differing}: that counts as noise here."
    if measured.left_out:
        blocks = ", ".join(f"seed {seed} fold {fold}" for seed, fold in measured.left_out)
        yield f"Left out, since others of their seed or fold are missing: {blocks}."
