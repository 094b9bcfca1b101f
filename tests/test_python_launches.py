"""Launches where Python is used: a script without a main guard, a notebook's kernel, signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.display import Notes
from helpers.recipes import TINY_ABLATION_YAML, TINY_RECIPE_YAML

import audiocls

SCRIPT = """
import audiocls

study = audiocls.launch(
    "tiny", seeds=[0], arms="baseline", wandb="disabled", workers=1, set={"train.epochs": EPOCHS}
)
print(study.outcome.counts["done"], "of", len(study.rows()))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a tiny ablation and its recipe."""
    monkeypatch.chdir(tmp_path)
    for folder, text in (("recipes", TINY_RECIPE_YAML), ("ablations", TINY_ABLATION_YAML)):
        Path(folder).mkdir()
        Path(folder, "tiny.yaml").write_text(text)
    return tmp_path


def write_script(epochs):
    Path("script.py").write_text(SCRIPT.replace("EPOCHS", str(epochs)))
    return [sys.executable, "script.py"]


def test_a_script_needs_no_main_guard(project):
    ran = subprocess.run(write_script(1), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "1 of 1"), ran.stderr
    assert "1 trained, 0 reused, 0 failed" in ran.stderr


def test_a_display_knows_the_study_whose_trials_it_shows(project):
    shown = []
    study = audiocls.launch(
        "tiny", seeds=[0], arms="baseline", wandb="disabled", executor="inline",
        set={"train.epochs": 1}, progress=Notes(watch=shown.append),
    )  # fmt: skip
    assert {status.study for status in shown} == {study.path.absolute()}


def wait_for_history(project):
    """Wait until a trial has trained an epoch."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any(file.stat().st_size for file in project.glob("runs/tiny/trials/*/history.jsonl")):
            return
        time.sleep(0.1)
    pytest.fail("no epoch was trained in two minutes")


@pytest.mark.slow
def test_ctrl_c_in_a_script_is_a_keyboard_interrupt_after_an_orderly_stop(project):
    words = write_script(5000)
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for_history(project)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "LaunchStopped" in told
    assert "1 cell to go. Resume with: audiocls sweep launch tiny" in told
    assert audiocls.status("tiny").counts["pending"] == 1
    assert not list(project.glob("runs/tiny/trials/*/failure.json"))


@pytest.mark.slow
def test_a_notebook_launches_and_its_stop_button_stops(project):
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    try:
        outputs = run_cell(client, SCRIPT.replace("EPOCHS", "1") + "\nstudy")
        assert any("1 of 1" in output.get("text", "") for output in outputs)
        bars = [o for o in outputs if "<progress" in o.get("data", {}).get("text/html", "")]
        assert "1/1 done" in bars[-1]["data"]["text/plain"]
        assert '<div class="audiocls">' in outputs[-1]["data"]["text/html"]
        project.joinpath("runs").rename(project / "before")
        started = client.execute(SCRIPT.replace("EPOCHS", "5000"))
        wait_for_history(project)
        manager.interrupt_kernel()
        stopped = outputs_of(client, started)
        assert stopped[-1]["ename"] == "LaunchStopped"
        assert "Resume with" in stopped[-1]["evalue"]
        assert run_cell(client, "print('alive')")[-1]["text"] == "alive\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run_cell(client, code):
    return outputs_of(client, client.execute(code))


def outputs_of(client, request):
    """Return what the front end gets for a request, in order."""
    outputs = []
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return outputs
        if message["msg_type"] not in ("status", "execute_input"):
            outputs.append(message["content"])
