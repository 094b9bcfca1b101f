r"""The answer as LaTeX tables for `\input` in a paper, which need the package booktabs alone.

Plain ASCII wherever the text allows it, so that pdfLaTeX sets it whatever the font's encoding.
"""

from audiocls.analysis.results import Comparison
from audiocls.render.latex.effects import effects_sheet
from audiocls.render.latex.escape import escaped
from audiocls.render.latex.sheet import written
from audiocls.render.latex.verdicts import verdicts_sheet

__all__ = ["escaped", "to_latex"]


def to_latex(comparison: Comparison) -> str:
    """A `table` for each metric, the one that decides first, and one of the factors' effects."""
    sheets = [verdicts_sheet(each) for each in (comparison, *comparison.secondary)]
    sheets += [effects_sheet(comparison)] if comparison.effects.estimates else []
    return "\n".join([r"% Needs \usepackage{booktabs}.", *map(written, sheets)])
