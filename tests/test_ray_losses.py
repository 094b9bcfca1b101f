"""What people are told of a lost worker is one sentence of ours; what Ray says is in a file."""

import importlib

import pytest

connection = pytest.importorskip("audiocls.execution.cluster.connection")
losses = pytest.importorskip("audiocls.execution.cluster.losses")
exceptions = pytest.importorskip("ray.exceptions")

INTERNALS = """\
The actor died unexpectedly before finishing this task.
\tclass_name: NodeWorker
\tactor_id: 76ce81293438a74288e119b001000000
The actor died because its node has died. Node Id: cf48152d084d6a2a50af84f68c8fe764a0c06aaa
\tthe actor's node was terminated unexpectedly: health check failed
"""
ERRORS = {
    "is lost with its node": exceptions.RayActorError(error_msg=INTERNALS),
    "does not answer: it was killed, or its node is lost": exceptions.ActorUnavailableError(
        "RpcError: RPC error: Socket closed rpc_code: 14", None
    ),
    "was ended by Ray, since the node's memory ran out": exceptions.OutOfMemoryError(INTERNALS),
    "has failed: OSError: no such device": exceptions.RayError(
        "ray::NodeWorker.poll() (pid=7)\n  File node.py, line 1\nOSError: no such device"
    ),
}


@pytest.mark.parametrize("fate", ERRORS)
def test_a_loss_is_one_sentence_and_all_that_ray_says_is_in_the_log(fate, tmp_path):
    log = tmp_path / "workers.log"
    said = losses.loss_of(ERRORS[fate], "host-7", log)
    assert said == (
        f"its worker on host-7 {fate}; another one takes over as soon as a node has room "
        f"(what Ray says is in {log})"
    )
    assert str(ERRORS[fate]) in log.read_text()


@pytest.fixture
def driver(monkeypatch):
    found = importlib.import_module("ray._private.worker")
    monkeypatch.setattr(found, "print_to_stdstream", found.print_to_stdstream)
    return found


def test_what_ray_would_print_of_nodes_is_in_the_log_until_the_connection_ends(
    driver, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(connection, "_is_ours", lambda: True)
    monkeypatch.setattr(connection.ray, "is_initialized", lambda: True)
    monkeypatch.setattr(connection.ray, "shutdown", lambda: None)
    message = {"lines": [INTERNALS], "pid": "raylet", "is_err": False}
    printed = driver.print_to_stdstream
    for study in ("a", "b"):
        connection.keep_messages(tmp_path / study)
        driver.print_to_stdstream(message, ignore_prefix=False)
        assert (tmp_path / study).read_text() == f"{INTERNALS}\n"
    assert capsys.readouterr() == ("", "")
    connection.disconnect()
    assert driver.print_to_stdstream is printed


def test_messages_of_a_connection_of_the_users_are_left_alone(driver, monkeypatch, tmp_path):
    monkeypatch.setattr(connection, "_is_ours", lambda: False)
    printed = driver.print_to_stdstream
    connection.keep_messages(tmp_path / "log")
    assert driver.print_to_stdstream is printed
