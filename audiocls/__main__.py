"""`python -m audiocls` is the same doorway as the console script."""

from audiocls.cli import app

if __name__ == "__main__":
    app()
