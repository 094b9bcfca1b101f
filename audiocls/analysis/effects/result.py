"""The values of a study's effects."""

from dataclasses import dataclass
from typing import Literal

from audiocls.stats import max_p

EffectVerdict = Literal[
    "better",
    "worse",
    "equivalent",
    "no_evidence",
    "interacts",
    "additive",
    "undecided",
    "too_few_pairs",
    "not_comparable",
]


@dataclass(frozen=True)
class SimpleEffect:
    """One side of an interaction: the effect of a change in one company."""

    name: str
    delta: float
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Effect:
    """A contrast of arms, in units of the metric; `None` where there is nothing to say."""

    name: str
    """`dropout=0.1`, or `dropout=0.1 × sam=on`."""
    against: str
    """The level that it is the difference to; empty for an interaction."""
    kind: Literal["main", "interaction"]
    num_blocks: int
    """Blocks on which every arm of the contrast has finished."""
    delta: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_corrected_t: float | None = None
    p_sign_flip: float | None = None
    p_holm: float | None = None
    """Over the study's effects."""
    verdict: EffectVerdict = "no_evidence"
    reason: str = ""
    aliases: tuple[str, ...] = ()
    """The shortest effects of the factors that this design cannot tell from it."""
    parts: tuple[SimpleEffect, ...] = ()
    """What an interaction is the difference of: the second − the first."""

    @property
    def p(self) -> float:
        """A claim needs both tests."""
        return max_p(self.p_corrected_t, self.p_sign_flip)


@dataclass(frozen=True)
class TwoWay:
    """The metric's mean at each pair of two factors' levels, over the blocks that all arms have."""

    first: str
    second: str
    first_levels: tuple[str, ...]
    second_levels: tuple[str, ...]
    means: tuple[tuple[float | None, ...], ...]
    """A row for each level of the first; `None` where no arm has both levels."""


@dataclass(frozen=True)
class Effects:
    """What a study's factors do, each averaged over the others, and together.

    Empty where every effect is a comparison of two arms, which has its verdict already.
    """

    estimates: tuple[Effect, ...] = ()
    tables: tuple[TwoWay, ...] = ()
    not_estimated: tuple[str, ...] = ()
    """Effects that these arms cannot show, and why."""
    compared: tuple[str, ...] = ()
    """Effects that are comparisons of two arms, and so not among the estimates."""
