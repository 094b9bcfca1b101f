"""`Plan`: arms × blocks, before any configuration is resolved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audiocls.design.ablation import MAX_BLOCKS, MAX_CELLS, Ablation
from audiocls.design.designs import Arms, Design, design_of
from audiocls.errors import UsageError, did_you_mean
from audiocls.formatting import format_arm

Block = tuple[int, int]
"""A seed and a test fold."""
MAX_GROWTH = 10
"""Pairs that a comparison may take by default: so many times the file's own blocks."""


@dataclass(frozen=True)
class Plan:
    """All trials of an ablation: every arm on every block."""

    ablation: Ablation
    arms: Arms
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    references: dict[str, str] = field(default_factory=dict)
    """Arm → the arm that it is compared with, where that is not the baseline."""
    factors: dict[str, list[Any]] = field(default_factory=dict)
    """Dotted key → its levels; zipped keys are joined by a comma, their levels are lists."""
    resolution: int | None = None
    """Of a whole fraction, which may be higher than the one asked for."""
    aliases: tuple[str, ...] = ()
    """Effects that a whole fraction cannot tell apart, such as `lr = dropout×width`."""
    notes: tuple[str, ...] = ()
    """What a reader of the answer must know: what was left out, what the design cannot say."""
    over_budget: dict[str, str] = field(default_factory=dict)
    """Arm that is not trained → `over budget by 11 % (…)`, which is its result."""

    @property
    def blocks(self) -> list[Block]:
        return [(seed, fold) for seed in self.seeds for fold in self.folds]

    @property
    def cells(self) -> list[tuple[str, int, int]]:
        """Arm, seed and fold of every trial, block by block, so that pairs are complete early."""
        return [(arm, *block) for block in self.blocks for arm in self.arms]

    @property
    def baseline(self) -> str:
        return next(iter(self.arms))

    @property
    def design(self) -> str:
        """The design's name; `arms` where the file names its arms itself."""
        return "arms" if self.ablation.arms else self.ablation.design

    @property
    def num_comparisons(self) -> int:
        """Every arm but the baseline is compared once, with its reference."""
        return len(self.arms) - 1

    @property
    def num_trials(self) -> int:
        return len(self.arms) * len(self.seeds) * len(self.folds)

    def changes(self, arm: str) -> dict[str, Any]:
        """Return the dotted keys that the arm sets above the recipe, the overrides included."""
        return {**self.ablation.base(), **self.arms[arm]}


def plan(
    ablation: Ablation,
    seeds: Sequence[int] = (),
    folds: Sequence[int] = (),
    arms: Sequence[str] = (),
) -> Plan:
    """Return the ablation's trials; `seeds`, `folds`, `arms` narrow or extend what its file says.

    What the arms are compared with stays: without it they would answer nothing. Raises
    `UsageError` for an arm that the ablation does not have.
    """
    design = design_of(ablation)
    chosen = _chosen(design, _by_own_names(design, ablation, arms), ablation.name)
    is_whole = len(chosen) == len(design.arms)
    planned = Plan(
        ablation=ablation,
        arms={arm.name: arm.changes for arm in design.arms if arm.name in chosen},
        seeds=tuple(dict.fromkeys(seeds or ablation.blocks.seed)),
        folds=tuple(dict.fromkeys(folds or ablation.blocks.fold)),
        references={arm: other for arm, other in design.references.items() if arm in chosen},
        factors={factor.name: factor.values for factor in design.factors.all},
        resolution=design.fraction.resolution if design.fraction and is_whole else None,
        aliases=design.aliases if is_whole else (),
        notes=design.notes,
    )
    _check_size(planned)
    return planned


def _by_own_names(design: Design, ablation: Ablation, arms: Sequence[str]) -> list[str]:
    """Return the names of arms that may be given as reports write or label them."""
    known = {format_arm(arm.name): arm.name for arm in design.arms} if arms else {}
    known |= {label: arm for arm, label in ablation.labels.items()}
    return [known.get(arm, arm) for arm in arms]


def _check_size(plan: Plan) -> None:
    """Raise `UsageError` for a plan that no machine would see the end of."""
    num_blocks = len(plan.seeds) * len(plan.folds)
    num_cells = num_blocks * len(plan.arms)
    if num_blocks > MAX_BLOCKS or num_cells > MAX_CELLS:
        raise UsageError(
            f"{plan.ablation.name}: {len(plan.arms)} arms on {num_blocks:,} blocks are "
            f"{num_cells:,} trials; at most {MAX_BLOCKS:,} blocks and {MAX_CELLS:,} trials. Narrow "
            "with --seeds, --folds or --arms"
        )


def _chosen(design: Design, names: Sequence[str], where: str) -> Collection[str]:
    """Return the arms named, the baseline, and every reference of one of them."""
    known = {arm.name: None for arm in design.arms}
    for name in names:
        if name not in known:
            raise UsageError(
                f"{where} has no arm {name!r}; its arms: {', '.join(known)}."
                + did_you_mean(name, known)
            )
    chosen, references = {design.baseline}, design.references
    for name in names or known:
        while name not in chosen:
            chosen.add(name)
            name = references.get(name, design.baseline)
    return chosen


def within_folds(plan: Plan, available: Sequence[int], data: str, is_requested: bool) -> Plan:
    """Return `plan` on the folds that the data set has.

    The file's blocks are those of the file's data set: on data with fewer folds the others are left
    out, with a note. Raises `UsageError` where no fold remains, or where the command line asked for
    the folds (`is_requested`).
    """
    missing = [fold for fold in plan.folds if fold not in available]
    if not missing:
        return plan
    has = f"{data} has test fold{'s' * (len(available) > 1)} {', '.join(map(str, available))}"
    kept = tuple(fold for fold in plan.folds if fold in available)
    if is_requested or not kept:
        raise UsageError(f"{has}; got {', '.join(map(str, missing))}. Narrow with --folds.")
    left_out = f"left out: {', '.join(map(str, missing))}"
    return replace(plan, folds=kept, notes=(*plan.notes, f"{has}; {left_out}."))


def widened(plan: Plan, max_pairs: int | None) -> Plan:
    """Return `plan` with as many more seeds as `max_pairs` pairs of a comparison allow.

    By default ten times the file's own blocks. Raises `UsageError` for fewer than these.
    """
    num_planned = len(plan.blocks)
    most = num_planned * MAX_GROWTH if max_pairs is None else max_pairs
    if most < num_planned:
        raise UsageError(
            f"--max-pairs: got {most}; {plan.ablation.name} has {num_planned} blocks at its "
            "first look already; give more, or fewer --seeds or --folds"
        )
    num_more = most // len(plan.folds) - len(plan.seeds)
    start = max(plan.seeds) + 1
    whole = replace(plan, seeds=(*plan.seeds, *range(start, start + num_more)))
    if (num_pairs := len(whole.blocks)) == most:
        return whole
    note = f"--max-pairs {most}: whole seeds of {len(plan.folds)} folds make {num_pairs}."
    return replace(whole, notes=(*plan.notes, note))
