"""`audiocls serve`: studies in a browser, as they run."""

from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import options as o

PortOption = Annotated[int, typer.Option("--port", help="Of this machine; 0: any that is free.")]


def serve(port: PortOption = 8642, runs: o.RunsOption = o.RUNS) -> None:
    """Show studies in a browser as they run: on this machine alone, and read-only.

    From another machine: ssh -L 8642:127.0.0.1:8642 HOST
    """
    page = audiocls.serve(port=port, runs=runs)
    console.say(page.address)
    console.note(f"shows the studies in {page.runs}; Ctrl-C ends it, and no study")
    page.wait()
