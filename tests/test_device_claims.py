"""Launches that know nothing of each other spread over the devices of one machine."""

import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from audiocls.atomic import write_text
from audiocls.errors import UsageError
from audiocls.execution import devices, gpus
from audiocls.execution.accelerators import available_devices
from audiocls.execution.device_claims import claimed
from audiocls.execution.devices import gpu_of, kind_of, visible_devices, worker_environment
from audiocls.execution.gpus import Gpu
from audiocls.studies.options import LaunchOptions
from audiocls.writers import host

HOLD = """
import time
from audiocls.execution.device_claims import claimed
slots = claimed("auto", 1)
print(slots.devices[0], flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own, with two cores, and two GPUs that are hidden."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("audiocls.execution.device_claims.core_ids", lambda: [3, 5])
    monkeypatch.setattr(devices, "core_ids", lambda: [3, 5])
    two = tuple(Gpu(str(number), "NVIDIA T4", f"GPU-{number}") for number in range(2))
    monkeypatch.setattr(gpus, "installed_gpus", lambda: two)
    return tmp_path


def test_launches_of_one_worker_have_a_core_each_and_then_share(machine):
    first, second = claimed("auto", 1), claimed("auto", 1)
    held = {Path(lock.lock_file).name for each in (first, second) for lock in each.locks}
    assert held == {"core-3.lock", "core-5.lock"}
    third = claimed("auto", None)
    assert (third.devices, third.locks) == (["cpu"], [])
    first.release()
    assert claimed("auto", None).locks


def test_a_launch_has_a_worker_for_each_free_core_unless_told_otherwise(machine):
    one = claimed("auto", 1)
    assert claimed("auto", None).devices == ["cpu"]
    assert claimed("auto", 4).devices == ["cpu"] * 4
    one.release()
    assert claimed("auto", None, most=1).devices == ["cpu"]


def test_a_launch_says_why_it_has_fewer_workers_than_there_are_cores(machine):
    said: list[str] = []
    both = LaunchOptions(machine).claimed(note=said.append)
    assert both.devices == ["cpu"] * 2
    both.release()
    one = claimed("auto", 1)
    other = LaunchOptions(machine)
    other.claimed(note=said.append, most=1).release()
    replace(other, workers=2).claimed(note=said.append).release()
    assert not said, "as many as were wanted"
    other.claimed(note=said.append)
    holder = f"{Path(one.locks[0].lock_file).stem} is held by process {os.getpid()} in {Path.cwd()}"
    assert said == [f"1 worker instead of 2: {holder}; to run 2 anyway: --workers 2"]


def test_a_gpu_belongs_to_one_launch_and_who_has_it_is_named(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    first, second = claimed("auto", 1), claimed("auto", None)
    assert (first.devices, second.devices) == (["cuda:0"], ["cuda:1"])
    with pytest.raises(UsageError) as raised:
        claimed("auto", None)
    assert f"cuda-GPU-1 is held by process {os.getpid()} in {Path.cwd()}" in str(raised.value)
    assert "--workers N" in str(raised.value)
    with pytest.raises(UsageError, match="no GPU is free: cuda-GPU-0 is held"):
        claimed("cuda:0", 2)
    second.release()
    assert claimed("auto", 3).devices == ["cuda:1"] * 3


def test_a_device_is_the_same_by_whatever_number_a_launch_sees_it(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    held = claimed("auto", 1)
    assert held.devices == ["cuda:0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert claimed("auto", None).devices == ["cuda:0"]
    held.release()


def test_a_claim_ends_with_its_process(machine):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout.readline().strip() == "cpu"
        locks = {file.name for file in machine.glob("audiocls-*/*.holder")}
        assert len(locks) == 1
        process.kill()
        process.wait()
    assert len(claimed("auto", 2).locks) == 2


def test_where_no_claims_can_be_kept_work_goes_on(machine, monkeypatch):
    (machine / f"audiocls-{os.getuid()}").write_text("a file")
    assert claimed("auto", 2).devices == ["cpu", "cpu"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert claimed("auto", 1).devices == ["cuda:0"]


def test_kinds_of_devices_are_their_product_names(machine, monkeypatch):
    listed = (Gpu("0", "NVIDIA T4", "GPU-aa"), Gpu("1", "NVIDIA H200", "GPU-bb"))
    monkeypatch.setattr(gpus, "installed_gpus", lambda: listed)
    assert kind_of("cpu") == "cpu"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert [kind_of(name) for name in available_devices(is_native=False)] == [
        "NVIDIA T4",
        "NVIDIA H200",
    ]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb,0")
    assert (gpu_of("cuda:0"), gpu_of("cuda:1")) == (listed[1], listed[0])


def test_a_launch_is_on_one_kind_and_leaves_the_others_to_others(machine, monkeypatch):
    listed = tuple(Gpu(str(i), "T4" if i else "H200", f"GPU-{i}") for i in range(3))
    monkeypatch.setattr(gpus, "installed_gpus", lambda: listed)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    most = claimed("auto", None)
    assert most.devices == ["cuda:1", "cuda:2"]
    assert claimed("auto", None).devices == ["cuda:0"]
    with pytest.raises(UsageError, match="one launch for each kind"):
        claimed("cuda:0,cuda:1", None)


def test_a_worker_counts_devices_as_the_driver_does_unless_the_user_says_otherwise():
    assert visible_devices({}, "cuda:1")["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    chosen = worker_environment({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, "cuda:1")
    assert chosen["CUDA_DEVICE_ORDER"] == "FASTEST_FIRST"
    assert "CUDA_DEVICE_ORDER" not in visible_devices({}, "cpu")


def test_a_launch_in_its_own_process_has_a_device_of_its_own_meanwhile(
    machine, monkeypatch, tmp_path
):
    listed = tuple(Gpu(str(i), "NVIDIA T4", f"GPU-{i}") for i in range(2))
    monkeypatch.setattr(gpus, "installed_gpus", lambda: listed)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    other = claimed("auto", 1)
    assert other.devices == ["cuda:0"]
    options, said = LaunchOptions(tmp_path, executor="inline"), list[str]()
    open_executor = options.open_workers(tmp_path / "log", said.append)
    executor = open_executor(None, threading.Event())
    assert (os.environ["CUDA_VISIBLE_DEVICES"], executor.kind) == ("1", "NVIDIA T4")
    with pytest.raises(UsageError, match="no GPU is free"):
        claimed("auto", 1)
    executor.stop(grace_s=0)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert claimed("auto", 1).devices == ["cuda:1"]


def test_trials_on_two_gpus_each_claim_them_in_pairs(machine, monkeypatch):
    listed = tuple(Gpu(str(i), "NVIDIA T4", f"GPU-{i}") for i in range(5))
    monkeypatch.setattr(gpus, "installed_gpus", lambda: listed)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    first = claimed("auto", 1, per_trial=2)
    assert first.devices == ["cuda:0,cuda:1"]
    second = claimed("auto", None, per_trial=2)
    assert second.devices == ["cuda:2,cuda:3"]
    with pytest.raises(UsageError, match="not 2 GPUs are free"):
        claimed("auto", None, per_trial=2)
    environment = worker_environment({}, first.devices[0])
    assert environment["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert environment[devices.DEVICES_PER_TRIAL] == "2"
    assert kind_of(first.devices[0]) == "NVIDIA T4"


def test_more_devices_for_a_trial_than_there_are_is_one_sentence(machine):
    assert claimed("cpu", None, per_trial=2).devices == ["cpu,cpu"]
    with pytest.raises(UsageError, match="--devices-per-trial: got 3; there are 2 cores"):
        claimed("auto", None, per_trial=3)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("cpu,cpu", "each once. For 2 workers on cpu: --devices cpu --workers 2"),
        ("cuda,cuda:1", "each once. For 3 workers on cuda:1: --devices cuda:1 --workers 3"),
        ("auto,cpu", "got auto beside others; it chooses alone"),
        ("cpu,cuda:0", r"got cpu \(cpu\), cuda:0 \(NVIDIA T4\): pairs of two kinds"),
        ("", "got ''; this machine has: auto, cpu, cuda:0, cuda:1"),
        ("rocm", "cuda:1. AMD's and NVIDIA's GPUs are both named cuda"),
        ("cuda:2", "got 'cuda:2'; this machine has: auto, cpu, cuda:0, cuda:1"),
    ],
)
def test_devices_that_cannot_be_meant_are_refused_by_plans_too(monkeypatch, named, said):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UsageError, match=said):
        devices.slots(named, None)


def test_blanks_between_devices_are_none_of_their_names(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices.slots("cuda:0, cuda:1", None) == ["cuda:0", "cuda:1"]


NOTES = {
    "empty": "",
    "torn": "proc",
    "of a process that has ended": "{host}-4194304-00000000\n/tmp/elsewhere",
    "damaged": "\udcff\udcfe\n",
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_holder_whose_note_tells_nothing_is_another_launch(note, machine):
    """It has just begun, and what an earlier holder that was killed has left is not its own."""
    one = claimed("auto", 1)
    [file] = machine.glob("audiocls-*/*.holder")
    file.write_text(note.format(host=host()), errors="surrogateescape")
    assert f": {file.stem} is held by another launch; to run 2" in claimed("auto", None).note
    file.unlink()
    assert f": {file.stem} is held by another launch; to run 2" in claimed("auto", None).note
    one.release()


def test_a_note_is_whole_whenever_it_is_read_and_goes_with_its_claim(machine, monkeypatch):
    notes = machine / f"audiocls-{os.getuid()}"
    seen = []

    def look(file, text, **options):
        seen.append(sorted(notes.glob("*.holder")))
        write_text(file, text, **options)

    monkeypatch.setattr("audiocls.execution.device_claims.write_text", look)
    one = claimed("auto", 1)
    assert seen == [[]]
    assert [each.stem for each in notes.glob("*.holder")] == ["core-3"]
    one.release()
    assert not list(notes.glob("*.holder"))
