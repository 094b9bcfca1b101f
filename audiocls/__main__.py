"""The doorway of the console script and of `python -m audiocls`."""

import gc

from audiocls.stop_signals import exit_code_kept

NUM_NEW = 50_000
"""New objects after which Python looks for garbage: commands build much and leave little of it."""


def main() -> None:
    """Run the command line; a signal before a launch has begun ends it resumably."""
    gc.set_threshold(NUM_NEW)
    with exit_code_kept():
        from audiocls.cli import app

        try:
            app()
        finally:
            gc.freeze()  # else Python, at exit, searches all that was imported for garbage


if __name__ == "__main__":
    main()
