"""Notebooks: the study that one reads, and one executed for a study.

What executes them is an extra, `pip install 'audiocls[notebooks]'`; only `execution` imports it.
"""

from audiocls.notebook.execution import executed, require_notebooks
from audiocls.notebook.opening import open_answer

__all__ = ["executed", "open_answer", "require_notebooks"]
