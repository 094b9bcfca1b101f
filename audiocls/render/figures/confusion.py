"""A confusion matrix: true classes down, predicted classes across."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audiocls.render.figures.rows import NARROW, shorten
from audiocls.render.figures.svg import BLUE, INK, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 60
"""In a figure: the names of more could not be read."""
MOST_COUNTED = 20
"""Classes up to which each cell has its number."""


@styled
def confusion_matrix(
    labels: Sequence[str], counts: NDArray[np.int64], is_narrow: bool = False
) -> "Figure":
    """Draw a square a pair of classes that occurs, the darker the larger its share of the row.

    `is_narrow` draws it for a phone. Shape: counts (K, K)
    """
    from matplotlib.patches import Rectangle

    num = len(labels)
    figure = new_figure(*(NARROW, NARROW) if is_narrow else (8.0, 4.6 if num <= 12 else 8.0))
    axes = figure.add_subplot()
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    for row, column in np.argwhere(counts):
        share = float(shares[row, column])
        corner = (column - 0.47, row - 0.47)
        axes.add_patch(Rectangle(corner, 0.94, 0.94, color=BLUE, alpha=0.12 + 0.58 * share, lw=0))
        if num <= MOST_COUNTED:
            number = str(counts[row, column])
            axes.text(column, row, number, ha="center", va="center", fontsize=9, color=INK)
    names = [shorten(label, 18) for label in labels]
    fontsize = 9 if num <= MOST_COUNTED else 6
    axes.set_xticks(range(num), names, rotation=90, fontsize=fontsize)
    axes.set_yticks(range(num), names, fontsize=fontsize)
    axes.set(xlim=(-0.5, num - 0.5), ylim=(num - 0.5, -0.5), xlabel="predicted", ylabel="true")
    axes.set_aspect("equal")
    axes.tick_params(length=0)
    return figure
