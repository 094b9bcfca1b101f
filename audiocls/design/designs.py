"""`Design`: the arms of an ablation, the reference of each, and which effects are aliased."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from audiocls.design import arms as builders
from audiocls.design.ablation import Ablation
from audiocls.design.arms import Arm, Factors
from audiocls.design.factor import Changes, factors_of, matches
from audiocls.design.fraction import Fraction, regular_fraction

Arms = dict[str, Changes]

BUILDERS: Mapping[str, Callable[[Factors], list[Arm]]] = {
    "ofat": builders.one_factor_at_a_time,
    "leave_one_out": builders.leave_one_out,
    "both": builders.both,
    "factorial": builders.factorial,
    "cumulative": builders.cumulative,
}


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
        return _fractional(factors, ablation)
    arms = tuple(BUILDERS[ablation.design](factors))
    notes = (_order(factors),) if ablation.design == "cumulative" else ()
    return Design(arms, factors, notes=notes)


def _order(factors: Factors) -> str:
    names = ", ".join(factors.label(factor) for factor in factors.all)
    return (
        f"Each change is measured on top of those before it ({names}): in another order, the same "
        "changes may show other effects."
    )


def _fractional(factors: Factors, ablation: Ablation) -> Design:
    fraction = regular_fraction(len(factors.all), ablation.resolution or 0)
    assert fraction is not None, "feasibility has refused a fraction that does not exist"
    design = Design(tuple(builders.fractional(factors, fraction)), factors, fraction)
    return replace(design, notes=(_confounding(design, fraction),))


MEANING = {
    3: "main effects are aliased with two-way interactions",
    4: "two-way interactions are aliased with each other, main effects with none of them",
}
CLEAR = "main effects and two-way interactions are told apart"


def _confounding(design: Design, fraction: Fraction) -> str:
    meaning = MEANING.get(fraction.resolution, CLEAR)
    cost = f"{len(design.arms)} of {2 ** len(fraction.columns)} combinations"
    listed = f" Aliased: {'; '.join(design.aliases)}." if design.aliases else ""
    return f"A fraction of resolution {roman(fraction.resolution)}, {cost}: {meaning}.{listed}"


def roman(resolution: int) -> str:
    """Return a resolution as a Roman numeral, as textbooks write it: III to XI."""
    return ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")[resolution]
