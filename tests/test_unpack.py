"""What no archive may do: each is refused in one sentence, and nothing lies outside the folder."""

import errno
import io
import os
import stat
import struct
import sys
import tarfile
import zipfile

import pytest
from helpers.archives import tarred

from audiocls.audio.fetch.unpack import unpack
from audiocls.errors import DataError, MachineFault


def zipped(
    *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED
) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as pack:
        for name, each in entries:
            pack.writestr(name, each)
    return content.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def encrypted() -> bytes:
    """A zip whose entry says that it is encrypted, in both of its headers."""
    content = bytearray(zipped(("top/a", b"secret")))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    return bytes(content)


def of_method(number: int) -> bytes:
    content = bytearray(zipped(("top/a", b"x")))
    for magic, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.index(magic) + offset
        content[at : at + 2] = struct.pack("<H", number)
    return bytes(content)


def zip_link() -> bytes:
    info = zipfile.ZipInfo("top/a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped((info, b"../../../etc/passwd"))


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    monkeypatch.setattr(sys.modules[unpack.__module__], "LEAST_LIMIT", 10_000)


BAD = {
    "encrypted": (encrypted(), "its entry 'top/a' is encrypted"),
    "of an unknown method": (of_method(97), "compression"),
    "of a zip's link": (zip_link(), "is a link"),
    "of a tar's link": (tarred((entry("top/a", tarfile.SYMTYPE, "b"), b"")), "is a link"),
    "of a hard link": (tarred((entry("top/a", tarfile.LNKTYPE, "top/b"), b"")), "is a link"),
    "of a device": (tarred((entry("top/a", tarfile.CHRTYPE), b"")), "device|special"),
    "of a name too long": (zipped((f"top/{'x' * 300}", b"")), "too long"),
    "of a tar's name too long": (tarred((entry(f"top/{'x' * 300}"), b"")), "too long"),
    "of two equal names": (zipped(("top/a", b"1"), ("top//a", b"2")), "called 'a'"),
    "of a file below a file": (zipped(("top/a", b"1"), ("top/a/b", b"2")), "called 'a/b'"),
    "of names in two cases": (
        zipped(("top/A.wav", b"1"), ("top/a.wav", b"2")),
        "'A.wav' and 'a.wav'",
    ),
    "of folders in two cases": (
        tarred((entry("top/Bed/a"), b"1"), (entry("top/bed/b"), b"2")),
        "'Bed' and 'bed'",
    ),
    "of names in two Unicode forms": (
        zipped(("top/\xe9", b"1"), ("top/e\u0301", b"2")),
        "one name",
    ),
    "of a zip cut off": (zipped(("top/a", bytes(999)))[:600], "zip that is cut off"),
    "of a tar cut off": (tarred((entry("top/a"), bytes(999)))[:40], "damaged"),
    "of another format": (b"<html>not found</html>", "neither a .zip nor a .tar.gz"),
    "of a folder as a file": (zipped(("top/a/b", b"1"), ("top/a", b"2")), "file and a folder"),
    "of a tar's file below a file": (
        tarred((entry("top/a"), b"1"), (entry("top/a/b"), b"2")),
        "called 'a/b'",
    ),
    "that expands": (zipped(("top/a", bytes(10**6)), method=zipfile.ZIP_DEFLATED), "expands"),
    "that expands in parts": (
        zipped(*((f"top/{i}", bytes(10**5)) for i in range(10)), method=zipfile.ZIP_DEFLATED),
        "expands",
    ),
    "of a tar that expands": (tarred((entry("top/a"), bytes(10**6))), "expands"),
    "that expands beside its folder": (tarred((entry("other/a"), bytes(10**6))), "expands"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD)
def test_an_archive_is_refused_in_one_sentence_and_writes_nothing_outside(content, why, tmp_path):
    (tmp_path / "archive").write_bytes(content)
    (tmp_path / "deep" / "inside").mkdir(parents=True)
    with pytest.raises(DataError, match=why) as raised:
        unpack(tmp_path / "archive", "top", tmp_path / "deep" / "inside", lambda done, total: None)
    assert str(raised.value).startswith(f"{tmp_path / 'archive'}: cannot be unpacked: ")
    assert len(str(raised.value).splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"inside"}


@pytest.mark.parametrize(
    ("size", "method"), [(9_999, zipfile.ZIP_DEFLATED), (200_000, zipfile.ZIP_STORED)]
)
def test_a_small_archive_and_one_that_hardly_expands_are_unpacked(size, method, tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped(("top/a.wav", bytes(size)), method=method))
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.zip", "top", tmp_path / "out", lambda done, total: None)
    assert (tmp_path / "out" / "a.wav").stat().st_size == size


@pytest.mark.parametrize("name", ["ENOSPC", "ENFILE", "EIO", "EACCES"])
def test_what_the_machine_refuses_is_no_fault_of_the_archive(name, tmp_path, monkeypatch):
    def refuse(self, *_):
        number = getattr(errno, name)
        raise OSError(number, os.strerror(number), str(tmp_path / "out" / "a"))

    (tmp_path / "a.zip").write_bytes(zipped(("top/a", b"1")))
    monkeypatch.setattr(zipfile.ZipFile, "open", refuse)
    with pytest.raises(MachineFault, match=os.strerror(getattr(errno, name))):
        unpack(tmp_path / "a.zip", "top", tmp_path / "out", lambda done, total: None)
