"""The doorway of the console script and of `python -m audiocls`."""

import gc

from audiocls.stop_signals import end_resumably, exit_resumably, handled


def main() -> None:
    """Run the command line; a signal before a launch has begun ends it resumably."""
    with handled(end_resumably):
        from audiocls.cli import app

        with handled(exit_resumably):
            try:
                app()
            finally:
                gc.freeze()  # else Python, at exit, searches all that was imported for garbage


if __name__ == "__main__":
    main()
