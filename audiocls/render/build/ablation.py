"""The answer of an ablation as a document."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import MappingProxyType
from typing import Any

from audiocls.analysis import pareto
from audiocls.analysis.next_step import NextStep
from audiocls.analysis.results import Comparison, Effects, Failed
from audiocls.formatting import NONE, plural
from audiocls.render import figures
from audiocls.render.build import clips as by_clip
from audiocls.render.build.clips import ClipSection
from audiocls.render.build.effects import EFFECT_MEANINGS, TITLE, effect_remarks, effect_table
from audiocls.render.build.headline import capitalised, headline
from audiocls.render.build.method import (
    VERDICT_MEANINGS,
    leaning_sentence,
    method_text,
    scope_sentence,
)
from audiocls.render.build.next_step import next_blocks, next_values
from audiocls.render.build.runs import pairs_run
from audiocls.render.build.values import clips_to_json, to_json
from audiocls.render.build.verdicts import (
    finished,
    missing,
    secondary_table,
    secondary_title,
    verdict_table,
)
from audiocls.render.document import (
    Block,
    Command,
    Document,
    Facts,
    Figure,
    Headline,
    Note,
    Runs,
    Section,
    Template,
    Text,
    Title,
)
from audiocls.render.run_selection import RunSelection
from audiocls.render.table import Depth
from audiocls.store.record import Provenance, Study

MARKS = "▲ better, ▼ worse, ■ equivalent"
LEANING = "△ ▽ nothing shown, though its own interval excludes 0"


def ablation(
    comparison: Comparison,
    study: Study | None = None,
    histories: figures.Histories = MappingProxyType({}),
    failures: Sequence[Failed] = (),
    provenance: Iterable[Provenance] = (),
    clips: ClipSection | None = None,
    selection: RunSelection | None = None,
    template: Template | None = None,
    steps: Sequence[NextStep] = (),
) -> Document:
    """Return the document; what is not given is left out.

    `histories` by trial id, `provenance` of the records that were compared, `selection` the runs
    that W&B draws panels of, `template` the notebook that computes this answer, `steps` what would
    decide what is open.
    """
    parts: tuple[Iterable[Block], ...] = (
        _opening(comparison, study),
        _verdicts(comparison),
        next_blocks(comparison, steps),
        _front(comparison),
        _secondary(comparison),
        _pairs(comparison),
        _effects(comparison),
        _curves(comparison, study, histories),
        _cost(comparison),
        by_clip.clip_blocks(clips) if clips else [],
        [Runs(selection, pairs_run(comparison))] if selection else [],
        missing(comparison, failures),
        _meanings(),
        _reproduce(comparison, study, provenance),
    )
    data = partial(_values, comparison, clips, steps)
    blocks = tuple(block for part in parts for block in part)
    return Document(name=comparison.study, blocks=blocks, data=data, template=template)


def _values(
    comparison: Comparison, clips: ClipSection | None, steps: Sequence[NextStep]
) -> dict[str, Any]:
    by_clips = clips and clips.comparison
    values = to_json(comparison) | {"next": next_values(comparison, steps)}
    return values | ({"clips": clips_to_json(by_clips)} if by_clips else {})


def _opening(comparison: Comparison, study: Study | None) -> Iterator[Block]:
    yield Title(comparison.study, comparison.question)
    yield Headline(headline(comparison))
    yield from map(Note, comparison.notes)
    items = [("metric", f"{comparison.metric}, {comparison.goal}")]
    if study:
        # An arm of a growing study that is decided gets no more blocks.
        most = "at most " if study.looks else ""
        blocks = f"{most}{plural(len(study.seeds), 'seed')} × {plural(len(study.folds), 'fold')}"
        num = len(comparison.arms)
        items.append(("program", study.program) if study.program else ("recipe", study.recipe))
        items += [("design", f"{study.design}, {num} arms × {blocks}")]
    done = comparison.num_expected - len(comparison.missing)
    items.append(("trials finished", f"{done} of {comparison.num_expected}"))
    yield Facts(tuple(items), depth=Depth.PAGE)


def _verdicts(comparison: Comparison) -> Iterator[Block]:
    leaning = leaning_sentence(comparison)
    blocks: tuple[Block, ...] = (
        verdict_table(comparison),
        *([Note(leaning)] if leaning else []),
        Text(method_text(comparison), Depth.TEXT),
        Text(f"{scope_sentence(comparison)} {finished(comparison)}"),
    )
    yield Section("Verdicts", blocks, heading=Depth.TEXT)


def _secondary(comparison: Comparison) -> Iterator[Block]:
    for each in comparison.secondary:
        is_alike = each.method == comparison.method
        method = () if is_alike else (Text(f"{capitalised(each.method)}."),)
        yield Section(secondary_title(each), (secondary_table(each), *method), is_folded=True)


def _pairs(comparison: Comparison) -> Iterator[Block]:
    margin = f"±{comparison.margin * comparison.scale:g}"
    unit = " points" if comparison.scale == 100 else ""
    caption = (
        "Each dot is one pair, the same seed and fold with and without the change. The mark above "
        f"the dots is their mean, the line its {comparison.interval_level} interval: {MARKS}, "
        f"{_leaning(comparison)}● no evidence, ◆ too few pairs. The grey zone is the margin of "
        f"equivalence, {margin}{unit}."
    )
    num, num_drawn = len(comparison.compared), min(figures.MAX_ARMS, len(comparison.compared))
    if num_drawn < num:
        caption += (
            f" This and the figures below show the first {num_drawn} of {num} arms; the table has "
            "all of them."
        )
    draw = partial(figures.paired_differences, comparison)
    figure = Figure("pairs", draw, caption, draw_narrow=partial(draw, is_narrow=True))
    yield Section("Paired differences", (figure,), depth=Depth.PAGE)


def _leaning(comparison: Comparison) -> str:
    """Return what hollow marks mean, where there are any, for a list of marks."""
    return f"{LEANING}, " * any(arm.is_leaning for arm in comparison.compared)


def _effects(comparison: Comparison) -> Iterator[Block]:
    if comparison.effects == Effects():
        return
    remarks = tuple(map(Text, effect_remarks(comparison)))
    if not comparison.effects.estimates:
        yield from remarks
        return
    level = comparison.interval_level
    draw = partial(figures.effect_intervals, comparison)
    shown = Figure(
        "effects",
        draw,
        f"The mark is an effect's mean over blocks, the line its {level} interval: {MARKS} or "
        "additive, ✖ interacts, ● nothing shown. The small grey rows above an interaction are what "
        "it is the difference of, the second − the first.",
        draw_narrow=partial(draw, is_narrow=True),
    )
    draw_lines = partial(figures.interactions, comparison)
    together = Figure(
        "interactions",
        draw_lines,
        "Mean of the metric at each pair of levels: lines are parallel where the two effects add "
        "up. The table above says whether a departure from that was shown.",
        draw_narrow=partial(draw_lines, is_narrow=True),
    )
    blocks: tuple[Block, ...] = (
        effect_table(comparison),
        *remarks,
        shown,
        *([together] if comparison.effects.tables else []),
        Facts(tuple(EFFECT_MEANINGS.items()), are_verdicts=True, depth=Depth.PAGE),
    )
    yield Section(TITLE, blocks)


def _curves(
    comparison: Comparison, study: Study | None, histories: figures.Histories
) -> Iterator[Block]:
    if study is None or not histories:
        return
    keys = {"metric": figures.validation_key(study), "loss": "val/loss"}
    drawn = []
    for name, key in keys.items():
        if figures.has_curve(histories, key):
            draw = partial(figures.learning_curves, study, histories, key, comparison.ratio)
            drawn.append(Figure(name, draw, draw_narrow=partial(draw, is_narrow=True)))
    level = comparison.interval_level
    note = Note(
        f"Mean over blocks on validation clips. The dark band is its {level} interval at each "
        "epoch for itself, over folds and seeds; the light one reaches from the lowest block to "
        "the highest. What blocks have in common widens both, and not the paired differences. "
        "Verdicts rest on the test clips, not on these.",
        Depth.PAGE,
    )
    if drawn:
        yield Section("Learning curves", (*drawn, note), depth=Depth.PAGE)


def _cost(comparison: Comparison) -> Iterator[Block]:
    caption = "Time is the mean wall time of a trial; MACs are those of one clip's forward pass."
    draw = partial(figures.cost_per_arm, comparison)
    figure = Figure("cost", draw, caption, draw_narrow=partial(draw, is_narrow=True))
    yield Section("Cost per arm", (figure,), depth=Depth.PAGE)


def _front(comparison: Comparison) -> Iterator[Block]:
    sentences = pareto.sentences(comparison)
    if not sentences:
        return
    level = comparison.interval_level
    draw = partial(figures.metric_against_cost, comparison)
    figure = Figure("fronts", draw, draw_narrow=partial(draw, is_narrow=True))
    note = Note(
        "On the front, filled, is an arm that no other arm beats: better and no "
        "dearer, or cheaper and no worse; times within 5 % of each other count as the same. Lines "
        f"are {level} intervals of the means; which of two close arms is on the front may be luck, "
        "and the verdicts above say whether they differ.",
        Depth.PAGE,
    )
    is_drawn = any(front.costs_differ for front in pareto.fronts(comparison))
    blocks: tuple[Block, ...] = (*([figure] if is_drawn else []), *map(Text, sentences), note)
    yield Section(f"{comparison.metric} against cost", blocks, heading=Depth.PAGE)


def _meanings() -> Iterator[Block]:
    meanings = Facts(tuple(VERDICT_MEANINGS.items()), are_verdicts=True)
    yield Section("What the verdicts mean", (meanings,), depth=Depth.PAGE)


def _reproduce(
    comparison: Comparison, study: Study | None, provenance: Iterable[Provenance]
) -> Iterator[Block]:
    facts = (
        *((arm.arm, _assigned(arm.changes)) for arm in comparison.arms if arm.changes),
        *((("in every arm", _assigned(study.overrides)),) if study and study.overrides else ()),
        *_versions(provenance).items(),
    )
    blocks: tuple[Block, ...] = (
        *([Command(comparison.command)] if comparison.command else []),
        *([Facts(facts, depth=Depth.PAGE)] if facts else []),
    )
    yield Section("Reproduce", blocks, depth=Depth.TEXT)


def _assigned(changes: Mapping[str, object]) -> str:
    return "  ".join(f"{key}={value}" for key, value in changes.items())


def _versions(provenance: Iterable[Provenance]) -> dict[str, str]:
    """Return each part of the provenance with all values it took, so that a mixture shows."""
    values: dict[str, set[str]] = {}
    for origin in provenance:
        for name, value in asdict(origin).items():
            values.setdefault(name, set()).add(str(value))
    if not values:
        return {}
    known = {name: sorted(each - {""}) or [NONE] for name, each in values.items()}
    started, ended = known.pop("started")[0], known.pop("finished")[-1]
    texts = {name: ", ".join(each) for name, each in known.items()}
    return {**texts, "first trial started": started, "last trial finished": ended}
