"""Notebooks: the study that one reads, and one executed for a study.

What executes them is an extra, `pip install 'audiocls[notebooks]'`; only `execution` imports it.
"""

from audiocls.notebook.execution import executed, require_notebooks
from audiocls.notebook.opening import open_report

__all__ = ["executed", "open_report", "require_notebooks"]
