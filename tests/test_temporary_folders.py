"""No launch removes the temporary folder of a process that lives."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers.processes import wait_until

from audiocls.execution.temporary import TemporaryFolders

LAUNCH = """
import sys, time
from pathlib import Path
from audiocls.execution.executors.local import LocalExecutor
study = Path(sys.argv[1])
executor = LocalExecutor(["cpu"], study, study / "workers.log")
while not executor._workers[0].is_ready:
    executor.poll(0.1)
print(executor._workers[0]._process.pid, executor._workers[0].temporary, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def outlived(tmp_path) -> Iterator[tuple[psutil.Process, Path]]:
    """Return a worker whose launch was killed, and its folder; it stands still."""
    command = [sys.executable, "-c", LAUNCH, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launch:
        assert launch.stdout is not None
        pid, folder = launch.stdout.readline().split()
        worker = psutil.Process(int(pid))
        worker.suspend()
        launch.kill()
    yield worker, Path(folder)
    with suppress(psutil.NoSuchProcess):
        worker.kill()


def test_the_next_launch_leaves_the_folder_of_a_worker_that_has_outlived_its_own(
    outlived, tmp_path
):
    worker, folder = outlived
    (folder / "upload").touch()
    TemporaryFolders(tmp_path).close()
    assert (folder / "upload").exists()
    worker.kill()

    def is_gone() -> bool:
        TemporaryFolders(tmp_path).close()
        return not folder.exists()

    wait_until(is_gone)
    assert not (tmp_path / "tmp").exists()
