"""The doorway for a checkout: `python cli.py sweep launch dropout`."""

from audiocls.cli import app

app()
