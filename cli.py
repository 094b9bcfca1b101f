"""The doorway for a checkout: `python cli.py sweep launch dropout`."""

from audiocls.__main__ import main

if __name__ == "__main__":
    main()
