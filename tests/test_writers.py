"""What processes write in a folder shared by hosts carries names that no other process has."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from audiocls import writers
from audiocls.atomic import beside_of, build_once, publish, write_text
from audiocls.writers import WRITER, has_ended, host, writer_name


def test_a_name_says_host_and_process_and_is_never_the_same():
    one, other = writer_name(), writer_name()
    assert one != other
    found = WRITER.fullmatch(one)
    assert (found["host"], int(found["pid"])) == (host(), os.getpid())
    assert beside_of(Path("a/b")) != beside_of(Path("a/b"))


def test_hosts_with_long_or_odd_names_keep_names_of_their_own(monkeypatch):
    names = set()
    for name in ("a" * 90 + "1", "a" * 90 + "2", "my host/1"):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        names.add(host())
        assert len(host().partition("+")[0]) <= writers.LONGEST_HOST
        assert "/" not in host()
    assert len(names) == 3


def test_only_processes_of_this_host_are_known_to_have_ended():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    dead = f"{host()}-{process.pid}-0123abcd"
    assert has_ended(dead)
    assert not has_ended(writer_name())
    assert not has_ended(dead.replace(host(), "elsewhere"))
    assert not has_ended("no name")


def test_a_container_is_a_host_of_its_own(monkeypatch):
    """Its process 1 is another one than the host's."""
    here = host()
    monkeypatch.setattr(writers, "MAIN_NAMESPACE", 1)
    assert host().startswith(f"{here.partition('+')[0]}+")


def test_what_another_host_is_making_is_left_alone(tmp_path):
    theirs = tmp_path / ".thing.elsewhere-1-0123abcd.tmp"
    theirs.mkdir()
    dead = tmp_path / f".thing.{host()}-999999999-0123abcd.tmp"
    dead.mkdir()
    build_once(tmp_path / "thing", lambda folder: write_text(folder / "whole", "x"))
    assert theirs.is_dir()
    assert not dead.exists()


def test_a_folder_that_another_host_has_finished_meanwhile_is_used(tmp_path):
    def make(folder: Path) -> None:
        write_text(folder / "whole", "mine")
        write_text(tmp_path / "thing/whole", "theirs")

    assert (build_once(tmp_path / "thing", make) / "whole").read_text() == "theirs"
    assert {path.name for path in tmp_path.iterdir()} == {"thing", ".thing.lock"}


def test_of_two_that_publish_a_file_the_first_is_read(tmp_path):
    assert publish(tmp_path / "a", b"first")
    assert not publish(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
