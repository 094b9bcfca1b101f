"""Learning curves by arm as paths of small SVG drawings, from the values of the report's figure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.pairing import RecordGrid
from audiocls.formatting import format_value
from audiocls.live.results import Results
from audiocls.render.figures import validation_key
from audiocls.render.figures.curves import curve
from audiocls.store import State, Study

MOST_ARMS = 12
MOST_TRIALS = 600
"""Histories that are read again and again while they grow."""
WIDTH, HEIGHT = 240.0, 110.0


@dataclass(frozen=True)
class Curve:
    """One arm beside the baseline, in a box of `WIDTH` × `HEIGHT`."""

    arm: str
    line: str
    """SVG path of the mean over blocks."""
    band: str
    """SVG path around the lowest and the highest of them; empty of a single epoch."""
    baseline: str
    """SVG path of the baseline's mean; empty for the baseline itself."""
    axes: tuple[str, str, str, str]
    """Lowest and highest value, first and last epoch."""
    summary: str
    """The drawing in words."""


def curves_of(
    study: Study, states: Mapping[str, State], results: Results
) -> tuple[tuple[Curve, ...], str]:
    """Return a curve an arm and what a reader must know of them; none of a search."""
    arms = list(study.arms)[:MOST_ARMS]
    cells = [cell for cell in study.cells if cell.arm in arms]
    blocks = study.blocks[: max(1, MOST_TRIALS // max(1, len(arms)))]
    shown = {cell.id for cell in cells if cell.block in set(blocks)}
    begun = (id_ for id_ in shown if states.get(id_, "pending") != "pending")
    histories, key = results.histories(begun), validation_key(study)
    ratio = RecordGrid.of(study, results.records).ratio
    values = {arm: curve(study, histories, arm, key, ratio) for arm in arms}
    known = {arm: each for arm, each in values.items() if len(each)}
    if not known:
        return (), ""
    return _drawn(study, known, key), _note(study, key, len(arms), len(blocks))


def _note(study: Study, key: str, num_arms: int, num_blocks: int) -> str:
    parts = [
        f"{key}: at each epoch the mean over the trials that reached it, shaded from the "
        "lowest to the highest"
    ]
    if study.baseline in study.arms and num_arms > 1:
        parts.append(f"dashed: {study.baseline}")
    if num_arms < len(study.arms):
        parts.append(f"the first {num_arms} of {len(study.arms)} arms")
    if num_blocks < len(study.blocks):
        parts.append(f"the first {num_blocks} of {len(study.blocks)} blocks")
    return f"{'; '.join(parts)}."


def _drawn(study: Study, known: Mapping[str, NDArray[np.float64]], key: str) -> tuple[Curve, ...]:
    box = _Box.around(np.concatenate(list(known.values())))
    baseline = known.get(study.baseline)
    return tuple(
        Curve(
            arm,
            box.path(each[:, 0], each[:, 1]),
            box.band(each),
            "" if baseline is None or arm == study.baseline else box.path(*baseline[:, :2].T),
            box.axes,
            _summary(arm, each, key, None if arm == study.baseline else baseline),
        )
        for arm, each in known.items()
    )


def _summary(
    arm: str, each: NDArray[np.float64], key: str, baseline: NDArray[np.float64] | None
) -> str:
    """Return `dropout=0.1: val/accuracy 0.82 at epoch 10; baseline 0.81 there`."""
    text = f"{arm}: {key} {format_value(float(each[-1, 1]))} at epoch {each[-1, 0]:g}"
    if baseline is None:
        return text
    there = baseline[baseline[:, 0] == each[-1, 0]]
    return f"{text}; baseline {format_value(float(there[0, 1]))}" if len(there) else text


@dataclass(frozen=True)
class _Box:
    """The limits that all drawings share, so that they can be compared."""

    first: float
    last: float
    low: float
    high: float

    @classmethod
    def around(cls, values: NDArray[np.float64]) -> "_Box":
        epochs, lowest, highest = values[:, 0], values[:, 4], values[:, 5]
        return cls(*map(float, (epochs.min(), epochs.max(), lowest.min(), highest.max())))

    @property
    def axes(self) -> tuple[str, str, str, str]:
        low, high = format_value(self.low), format_value(self.high)
        return low, high, f"{self.first:g}", f"{self.last:g}"

    def path(self, epochs: NDArray[np.float64], values: NDArray[np.float64]) -> str:
        """Return a line through the points; one point is a short dash. Shape: (E,), (E,)"""
        x = WIDTH * (epochs - self.first) / ((self.last - self.first) or 1.0)
        y = HEIGHT * (1 - (values - self.low) / ((self.high - self.low) or 1.0))
        points = " ".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
        return f"M{points}h4" if len(epochs) == 1 else f"M{points}"

    def band(self, curve: NDArray[np.float64]) -> str:
        """Return the outline of all trials, lowest and back by the highest. Shape: curve (E, 6)"""
        if len(curve) < 2:
            return ""
        epochs = np.concatenate([curve[:, 0], curve[::-1, 0]])
        return f"{self.path(epochs, np.concatenate([curve[:, 4], curve[::-1, 5]]))}z"
