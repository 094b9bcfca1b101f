r"""The answer as LaTeX tables for `\input` in a paper, which need the package booktabs alone.

Plain ASCII wherever the text allows it, so that pdfLaTeX sets it whatever the font's encoding.
"""

from audiocls.report.latex.effects import effects_sheet
from audiocls.report.latex.escape import escaped
from audiocls.report.latex.sheet import written
from audiocls.report.latex.verdicts import verdicts_sheet
from audiocls.report.results import Comparison

__all__ = ["escaped", "to_latex"]


def to_latex(comparison: Comparison) -> str:
    """A `table` for each metric, the one that decides first, and one of the factors' effects."""
    sheets = [verdicts_sheet(each) for each in (comparison, *comparison.secondary)]
    sheets += [effects_sheet(comparison)] if comparison.effects.estimates else []
    return "\n".join([r"% Needs \usepackage{booktabs}.", *map(written, sheets)])
