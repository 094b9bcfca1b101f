"""`open_report`: what a notebook begins with, for studies on this disk and on W&B."""

from audiocls.notebook.opening import open_report

__all__ = ["open_report"]
