"""`audiocls doctor`: what this machine has, and what is wrong with it."""

import typer

from audiocls import console
from audiocls.cli.options import RUNS, JsonOption, RunsOption, cache_folder


def doctor(as_json: JsonOption = False, runs: RunsOption = RUNS) -> None:
    """Devices, threads, memory, disk, W&B state, audio codecs; exit code 1 if one is unusable."""
    from audiocls.execution.health import examine

    found = examine(runs, cache_folder())
    if as_json:
        console.show_json({"facts": found.facts, "faults": list(found.problems)})
    else:
        console.show_facts(found.facts)
        for fault in found.problems:
            console.error(fault)
        if not found.problems:
            console.say("No problems found.")
    if found.problems:
        raise typer.Exit(1)
