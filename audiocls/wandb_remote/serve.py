"""`serve`: W&B agents on this machine, one per GPU or core, until the sweep has no more runs."""

import shlex
import socket
from collections.abc import Collection, Iterator

from audiocls.errors import MachineFault
from audiocls.execution.scheduler import Launch
from audiocls.formatting import with_runs
from audiocls.parts.names import parse
from audiocls.stop_signals import stop_on_signal
from audiocls.studies.options import Display, LaunchOptions
from audiocls.studies.request import own_part_words
from audiocls.tracking.sweep_server import SweepPath
from audiocls.wandb_remote.agent import DEFAULT_RETRIES, Agent, RetryPolicy, RunQuota
from audiocls.wandb_remote.source import MOST_FAILURES, Ending, ServerSource, orphaned_runs
from audiocls.wandb_remote.trials import server_trials


def serve(
    path: SweepPath,
    options: LaunchOptions,
    display: Display,
    count: int | None = None,
    most_failures: int = MOST_FAILURES,
    study: str | None = None,
    retries: RetryPolicy = DEFAULT_RETRIES,
    known: Collection[str] = (),
) -> Ending:
    """Run as many agents as there are devices, until the last has ended or they are stopped.

    `known` are own parts that the user's files name, and so the server may, too.
    """
    from audiocls.tracking.wandb.connection import Connection
    from audiocls.tracking.wandb.sweeps import WandbSweeps

    server = WandbSweeps(Connection())
    sweep = server.sweep(path)
    display.note(f"sweep {path}: {sweep.url}")
    trials = server_trials(sweep, options.runs, study, known)
    options.slots(trials.is_native)  # which raises for devices that are not there
    quota = RunQuota(count, orphaned_runs(sweep, trials.folder))
    with stop_on_signal() as stop, display.watching() as watch:
        slots = options.claimed(display.note, is_native=trials.is_native)
        ids = [server.register_agent(path, socket.gethostname()) for _ in slots.devices]
        agents = [Agent(server, each, quota, retries) for each in ids]
        source = ServerSource(agents, trials.job, most_failures)
        scheduler = Launch(source, watch)
        scheduler.drive(trials.executor(slots), stop)
    ending = source.ending(scheduler.stopped_by is not None)
    if scheduler.fault:
        ending = Ending(f"stopped by this machine: {scheduler.fault}", MachineFault.exit_code)
    counts = f"{scheduler.num_done} trained, {scheduler.num_failed} failed"
    left = None if count is None else count - scheduler.num_done - scheduler.num_failed
    words = (*again_words(path, options, most_failures, study, known), *_count(left))
    again = with_runs(shlex.join(words), options.runs)
    hint = f". Resume with: {again}" if ending.exit_code and left != 0 else ""
    return Ending(f"{counts}; {ending.sentence}{hint}", ending.exit_code)


def again_words(
    path: SweepPath,
    options: LaunchOptions,
    most_failures: int,
    study: str | None,
    known: Collection[str],
) -> Iterator[str]:
    """Yield the command line that serves the sweep again, but for the trials that are left.

    The files that named own parts are not read then, so that it has to trust their modules.
    """
    yield from ("audiocls", "sweep", "agent", str(path))
    if study is not None:
        yield from ("--study", study)
    if options.devices != "auto":
        yield from ("--devices", options.devices)
    if options.workers is not None:
        yield from ("--workers", str(options.workers))
    if most_failures != MOST_FAILURES:
        yield from ("--max-failures", str(most_failures))
    for module in sorted({parse(name)[0] for name in known}):
        yield from ("--trust", module)
    yield from own_part_words()


def _count(left: int | None) -> tuple[str, ...]:
    return () if left is None else ("--count", str(left))
