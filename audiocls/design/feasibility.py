"""Feasibility of a design: which can be made of these factors, and whether arms remain."""

from collections.abc import Iterator, Sequence

from audiocls.design.ablation import Ablation
from audiocls.design.designs import Design, is_excluded, unrestricted
from audiocls.design.factor import Factor, factors_of, matches
from audiocls.design.fraction import MOST_FACTORS, regular_fraction

FEWEST_CHANGES = {"leave_one_out": 2, "both": 3, "cumulative": 2}
"""Designs whose factors have one level each, and the fewest factors that they need."""
FEWER = {
    "leave_one_out": "one change left out is the recipe: use design: ofat",
    "both": "two are a factorial: use design: factorial, or ofat for one",
    "cumulative": "one change has no order: use design: ofat",
}


def validate_design(ablation: Ablation) -> Iterator[str]:
    """Yield what the design cannot make of these factors, which are valid themselves."""
    factors = factors_of(ablation)
    yield from _levels(ablation, factors)
    yield from _resolution(ablation, factors)
    yield from _balance(ablation)
    yield from _order(ablation, factors)


def _levels(ablation: Ablation, factors: Sequence[Factor]) -> Iterator[str]:
    design = ablation.design
    wanted = 2 if design == "fractional" else 1 if design in FEWEST_CHANGES else None
    for factor in factors:
        if wanted is not None and len(factor.levels) != wanted:
            yield (
                f"factors: {factor.name} has {len(factor.levels)} levels; {design} takes "
                f"{wanted} of each factor"
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
        yield "factors: no arm but the baseline is left: nothing would be compared"
    built = {arm.name for arm in design.arms}
    for arm in kept:
        if arm.against is not None and arm.against not in built:
            yield (
                f"when: no arm has {arm.against} alone, which {arm.name} would be compared with; "
                "use design: factorial"
            )
        elif arm.against is not None and arm.against not in names | {design.baseline}:
            yield f"exclude: {arm.against} is what {arm.name} is compared with; keep it"


def _identical_arms(design: Design) -> Iterator[str]:
    """Yield arms that conditions make identical although their references differ."""
    known: dict[str, str] = {}
    for arm in design.arms:
        first = known.setdefault(design.factors.name(arm.changes), arm.name)
        if first != arm.name:
            yield (
                f"when: {first} and {arm.name} are one arm, which would be compared with two; "
                "use design: factorial"
            )
