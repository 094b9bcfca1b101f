"""The doorway of the console script and of `python -m audiocls`."""

from audiocls.stop_signals import exit_resumably, handled


def main() -> None:
    """Run the command line; a signal before a launch has begun ends it resumably."""
    with handled(exit_resumably):
        from audiocls.cli import app

        app()


if __name__ == "__main__":
    main()
