"""The doorway for a checkout: `python cli.py sweep launch dropout`."""

from audiocls.cli import app

if __name__ == "__main__":
    app()
