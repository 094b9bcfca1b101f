"""`audiocls doctor`: what this machine has, and what is wrong with it."""

import typer

import audiocls
from audiocls import console
from audiocls.cli.options import RUNS, JsonOption, RunsOption


def doctor(as_json: JsonOption = False, runs: RunsOption = RUNS) -> None:
    """Devices, threads, memory, disk, W&B state, audio codecs; exit code 1 if one is unusable."""
    health = audiocls.doctor(runs=runs)
    if as_json:
        console.show_json({"facts": health.facts, "faults": list(health.problems)})
    else:
        console.show_facts(health.facts)
        for fault in health.problems:
            console.error(fault)
        if not health.problems:
            console.say("No problems found.")
    if health.problems:
        raise typer.Exit(1)
