"""`Design`: the arms of an ablation, the reference of each, and which effects are aliased.

The `validate_…` functions say which designs can be made of an ablation's factors, and whether arms
remain.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from audiocls.design import arms as builders
from audiocls.design.ablation import MOST_SHOWN, Ablation
from audiocls.design.arms import Arm, Changes, Factor, Factors, factors_of, matches
from audiocls.design.fraction import MOST_FACTORS, Fraction, regular_fraction
from audiocls.errors import did_you_mean
from audiocls.formatting import format_json

Arms = dict[str, Changes]

BUILDERS: Mapping[str, Callable[[Factors], list[Arm]]] = {
    "ofat": builders.one_factor_at_a_time,
    "leave_one_out": builders.leave_one_out,
    "both": builders.both,
    "factorial": builders.factorial,
    "cumulative": builders.cumulative,
}

FEWEST_CHANGES = {"leave_one_out": 2, "both": 3, "cumulative": 2}
"""Designs whose factors have one level each, and the fewest factors that they need."""
FEWER = {
    "leave_one_out": "one change left out is the recipe: use design: ofat",
    "both": "two are a factorial: use design: factorial, or ofat for one",
    "cumulative": "one change has no order: use design: ofat",
}
MEANING = {
    3: "main effects are aliased with two-way interactions",
    4: "two-way interactions are aliased with each other, main effects with none of them",
}
CLEAR = "main effects and two-way interactions are distinguishable"


@dataclass(frozen=True)
class Design:
    """All arms, the baseline first."""

    arms: tuple[Arm, ...]
    factors: Factors = field(default_factory=Factors)
    """None for named arms."""
    fraction: Fraction | None = None
    notes: tuple[str, ...] = ()
    """What a reader of its answer must know."""

    @property
    def baseline(self) -> str:
        return self.arms[0].name

    @property
    def references(self) -> dict[str, str]:
        """Arm → the arm that it is compared with, where that is not the baseline."""
        given = {arm.name: arm.against for arm in self.arms}
        return {arm: other for arm, other in given.items() if other and other != self.baseline}

    @property
    def aliases(self) -> tuple[str, ...]:
        """Effects that a fraction cannot tell apart, such as `lr = dropout×width`."""
        labels = [self.factors.label(factor) for factor in self.factors.all]
        groups = self.fraction.aliases if self.fraction else []
        return tuple(
            " = ".join("×".join(labels[i] for i in effect) for effect in group) for group in groups
        )


def arms_of(ablation: Ablation) -> Arms:
    """Return every arm by name, the baseline first."""
    return {arm.name: arm.changes for arm in design_of(ablation).arms}


def design_of(ablation: Ablation) -> Design:
    """Return the design that the file describes; for a valid ablation."""
    whole = unrestricted(ablation)
    return replace(whole, arms=tuple(arm for arm in whole.arms if not is_excluded(arm, ablation)))


def is_excluded(arm: Arm, ablation: Ablation) -> bool:
    """Whether the file says that such a combination makes no arm."""
    return any(matches(arm.changes, part) for part in ablation.exclude)


def unrestricted(ablation: Ablation) -> Design:
    """Return the design before combinations are excluded."""
    if ablation.arms:
        return Design(tuple(Arm(name, dict(changes)) for name, changes in ablation.arms.items()))
    factors = Factors(factors_of(ablation))
    if ablation.design == "fractional":
        return _fraction_design(factors, ablation)
    arms = tuple(BUILDERS[ablation.design](factors))
    notes = (_order_note(factors),) if ablation.design == "cumulative" else ()
    return Design(arms, factors, notes=notes)


def _order_note(factors: Factors) -> str:
    names = ", ".join(factors.label(factor) for factor in factors.all)
    return (
        f"Each change is measured on top of those before it ({names}): in another order, the same "
        "changes may show other effects."
    )


def _fraction_design(factors: Factors, ablation: Ablation) -> Design:
    fraction = regular_fraction(len(factors.all), ablation.resolution or 0)
    assert fraction is not None, "`validate_design` has refused a fraction that does not exist"
    design = Design(tuple(builders.fractional(factors, fraction)), factors, fraction)
    return replace(design, notes=(_confounding(design, fraction),))


def _confounding(design: Design, fraction: Fraction) -> str:
    meaning = MEANING.get(fraction.resolution, CLEAR)
    cost = f"{len(design.arms)} of {2 ** len(fraction.columns)} combinations"
    listed = f" Aliased: {'; '.join(design.aliases)}." if design.aliases else ""
    return f"A fraction of resolution {roman(fraction.resolution)}, {cost}: {meaning}.{listed}"


def roman(resolution: int) -> str:
    """Return a resolution as a Roman numeral, as textbooks write it: III to XI."""
    return ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")[resolution]


def validate_design(ablation: Ablation) -> Iterator[str]:
    """Yield what the design cannot make of these factors, which are valid themselves."""
    factors = factors_of(ablation)
    yield from _levels(ablation, factors)
    yield from _resolution(ablation, factors)
    yield from _balance(ablation)
    yield from _order(ablation, factors)


def _levels(ablation: Ablation, factors: Sequence[Factor]) -> Iterator[str]:
    design = ablation.design
    num_levels = 2 if design == "fractional" else 1 if design in FEWEST_CHANGES else None
    for factor in factors:
        if num_levels is not None and len(factor.levels) != num_levels:
            yield (
                f"factors: {factor.name} has {len(factor.levels)} levels; {design} takes "
                f"{num_levels} of each factor"
            )
    fewest = FEWEST_CHANGES.get(design, 1)
    if len(factors) < fewest:
        yield f"design: {design} needs {fewest} factors, got {len(factors)}: {FEWER[design]}"


def _resolution(ablation: Ablation, factors: Sequence[Factor]) -> Iterator[str]:
    resolution, num = ablation.resolution, len(factors)
    if ablation.design != "fractional":
        if resolution is not None:
            yield f"resolution: has no effect on design: {ablation.design}; leave it out"
    elif resolution is None:
        yield "resolution: missing; a fractional design needs one of 3, 4, 5"
    elif num > MOST_FACTORS:
        yield f"factors: got {num}; a fractional design takes at most {MOST_FACTORS}"
    elif regular_fraction(num, resolution) is None:
        yield (
            f"resolution: {resolution} with {num} factors takes every combination: use design: "
            "factorial, or a lower resolution"
        )


def _balance(ablation: Ablation) -> Iterator[str]:
    if ablation.design == "fractional":
        for key, given in (("exclude", ablation.exclude), ("when", ablation.when)):
            if given:
                yield f"{key}: it would break the balance of a fraction; use design: factorial"


def _order(ablation: Ablation, factors: Sequence[Factor]) -> Iterator[str]:
    """Yield changes of a cumulative design that depend on later ones."""
    for i, factor in enumerate(factors if ablation.design == "cumulative" else ()):
        before = {key for other in factors[:i] for key in other.keys}
        late = sorted(factor.condition.keys() - before)
        if late:
            yield f"when.{factor.name}: {', '.join(late)} comes later in `factors`: list it before"


def validate_arms(ablation: Ablation) -> Iterator[str]:
    """Yield errors of arms that lack a reference; for an ablation without any other error."""
    design = unrestricted(ablation)
    yield from _identical_arms(design)
    kept = [arm for arm in design.arms if not is_excluded(arm, ablation)]
    names = {arm.name for arm in kept}
    for part in ablation.exclude:
        if not any(matches(arm.changes, part) for arm in design.arms):
            yield f"exclude: {part} matches no arm of design: {ablation.design}; leave it out"
    if design.baseline not in names:
        yield f"exclude: {design.baseline} is the baseline, with which arms are compared; keep it"
    elif len(kept) < 2:
        yield f"factors: no arm but the baseline is left: nothing would be compared{_why(ablation)}"
    built = {arm.name for arm in design.arms}
    for arm in kept:
        if arm.against is not None and arm.against not in built:
            yield (
                f"when: no arm has {arm.against} alone, which {arm.name} would be compared with; "
                "use design: factorial"
            )
        elif arm.against is not None and arm.against not in names | {design.baseline}:
            yield f"exclude: {arm.against} is what {arm.name} is compared with; keep it"


def _why(ablation: Ablation) -> str:
    """Return what leaves a factorial its baseline alone: factors without the recipe's own level."""
    single = [key for key, levels in ablation.factors.items() if len(levels) == 1]
    if ablation.design != "factorial" or len(single) < len(ablation.factors):
        return ""
    key, level = single[0], format_json(ablation.factors[single[0]][0])
    return (
        f". design: factorial combines the levels that are listed, the first of each being the "
        f"baseline's: list the recipe's own level before, as in {key}: [OWN, {level}], or use "
        "design: ofat (each change alone)"
    )


def validate_labels(ablation: Ablation) -> Iterator[str]:
    """Yield errors of labels that no arm has, or that two have; for an ablation without others."""
    names = arms_of(ablation)
    for arm in ablation.labels:
        if arm not in names:
            known = ", ".join(list(names)[:MOST_SHOWN])
            yield f"labels: no arm is called {arm!r}; arms: {known}.{did_you_mean(arm, names)}"
    shown = Counter(ablation.labels.get(arm, arm) for arm in names)
    for label, count in shown.items():
        if count > 1:
            yield f"labels: {label!r} is the name of {count} arms: give each its own"


def _identical_arms(design: Design) -> Iterator[str]:
    """Yield arms that conditions make identical although their references differ."""
    known: dict[str, str] = {}
    has_conditions = any(factor.condition for factor in design.factors.all)
    for arm in design.arms if has_conditions else ():
        first = known.setdefault(design.factors.name(arm.changes), arm.name)
        if first != arm.name:
            yield (
                f"when: {first} and {arm.name} are one arm, which would be compared with two; "
                "use design: factorial"
            )
