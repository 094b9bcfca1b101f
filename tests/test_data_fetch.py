"""Fetching over a real, local server that can break off, lie and refuse."""

import hashlib
import io
import socket
import tarfile
import threading
import wave
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from helpers.archives import tarred

from audiocls.audio.fetch import ORIGINS, Origin, Remote, fetch, origin_of
from audiocls.audio.fetch.download import Unreachable, download
from audiocls.audio.fetch.unpack import unpack
from audiocls.errors import DataError, UsageError

CONTENT = np.random.default_rng(0).bytes(300_000)


@dataclass
class Site:
    """Files that a server gives, and how well it behaves."""

    files: dict[str, bytes]
    breaks_after: list[int] = field(default_factory=list)
    """Bytes until each of the next connections breaks off."""
    knows_ranges: bool = True
    status: int = 200
    asked: list[str | None] = field(default_factory=list)
    """The range that each request asked for."""
    address: str = ""

    def remote(self, name: str = "data.bin", **facts) -> Remote:
        return Remote(f"{self.address}/{name}", name, **facts)


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content, asked = site.files.get(self.path[1:]), self.headers["Range"]
            site.asked.append(asked)
            if content is None or site.status != 200:
                return self.send_error(404 if content is None else site.status)
            start = int(asked[6:-1]) if asked and site.knows_ranges else 0
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else 200)
            if start:
                total = len(content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            stop = start + site.breaks_after.pop(0) if site.breaks_after else len(content)
            return self.wfile.write(content[start:stop])

        def log_message(self, *args):
            pass

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site({"data.bin": CONTENT})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def quiet(what: str, done: int, total: int | None) -> None:
    assert total is None or 0 <= done <= total


silent = partial(quiet, "unpacking")


def get(remote: Remote, folder: Path, report=quiet) -> Path:
    return download(remote, folder, report, pause_s=0)


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def test_a_file_comes_whole_with_its_progress_and_is_not_fetched_twice(site, tmp_path):
    reports = []
    remote = site.remote(num_bytes=len(CONTENT), checksum=md5(CONTENT))
    path = get(remote, tmp_path, lambda *each: reports.append(each))
    assert path.read_bytes() == CONTENT
    assert reports[0] == ("fetching data.bin", 0, len(CONTENT))
    assert reports[-2:] == [
        ("fetching data.bin", len(CONTENT), len(CONTENT)),
        ("checking data.bin", len(CONTENT), len(CONTENT)),
    ]
    assert get(remote, tmp_path) == path
    assert len(site.asked) == 1


def test_a_broken_connection_is_taken_up_where_it_broke_off(site, tmp_path):
    site.breaks_after = [100_000, 150_000]
    path = get(site.remote(checksum=md5(CONTENT)), tmp_path)
    assert path.read_bytes() == CONTENT
    assert site.asked == [None, "bytes=100000-", "bytes=250000-"]


def test_a_killed_download_goes_on_from_its_part(site, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:123_456])
    assert get(site.remote(), tmp_path).read_bytes() == CONTENT
    assert site.asked == ["bytes=123456-"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin"]


def test_a_server_without_ranges_sends_it_all_again(site, tmp_path):
    site.knows_ranges = False
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    assert get(site.remote(), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"too much"])
def test_a_part_that_is_complete_or_too_long_ends_as_the_file(site, tmp_path, part):
    (tmp_path / "data.bin.part").write_bytes(part)
    assert get(site.remote(), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "facts", [{"checksum": md5(b"another")}, {"num_bytes": 299_999}], ids=["sum", "size"]
)
def test_what_was_not_published_is_refused_and_not_kept_as_a_part(site, tmp_path, facts):
    with pytest.raises(DataError, match="published is"):
        get(site.remote(**facts), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_wrong_file_that_somebody_put_there_is_refused_and_left_alone(site, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"mine")
    with pytest.raises(DataError, match="Remove it"):
        get(site.remote(checksum=md5(CONTENT)), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"


def test_a_file_that_the_server_does_not_have_is_asked_for_once(site, tmp_path):
    with pytest.raises(Unreachable, match="answered 404"):
        get(site.remote("none.bin"), tmp_path)
    assert len(site.asked) == 1


def test_a_server_in_trouble_is_asked_again_but_not_for_ever(site, tmp_path):
    site.status = 503
    with pytest.raises(Unreachable, match="answered 503"):
        get(site.remote(), tmp_path)
    assert len(site.asked) == 2


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wav(seed: int) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.random.default_rng(seed).bytes(400))
    return content.getvalue()


def esc50(num_clips: int = 6) -> dict[str, bytes]:
    """A small ESC-50, by path."""
    names = [f"{i % 3 + 1}-{i}-A-{i % 2}.wav" for i in range(num_clips)]
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    rows += [f"{n},{i % 3 + 1},{i % 2},c{i % 2},False,{i},A" for i, n in enumerate(names)]
    clips = {f"ESC-50-master/audio/{name}": wav(i) for i, name in enumerate(names)}
    return clips | {"ESC-50-master/meta/esc50.csv": "\n".join(rows).encode()}


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as pack:
        for name, each in files.items():
            pack.writestr(name, each)
    return content.getvalue()


def entry(name: str, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    if link:
        info.type, info.linkname = tarfile.SYMTYPE, link
    return info


def small_origin(site: Site, num_clips: int = 6, content: bytes | None = None) -> Origin:
    site.files["ESC-50-master.zip"] = zipped(esc50()) if content is None else content
    remote = site.remote("ESC-50-master.zip", top="ESC-50-master")
    return replace(ORIGINS["esc50"], num_clips=num_clips, remotes=(remote,))


def test_a_fetched_data_set_is_unpacked_counted_and_its_archive_gone(site, tmp_path):
    fetched = fetch(small_origin(site), tmp_path, quiet)
    assert not fetched.was_there
    assert fetched.folder == tmp_path / "ESC-50-master"
    assert len(list((fetched.folder / "audio").iterdir())) == 6
    assert not list(tmp_path.glob("*.zip*"))


def test_fetching_again_asks_nobody(site, tmp_path):
    origin = small_origin(site)
    fetch(origin, tmp_path, quiet)
    assert fetch(origin, tmp_path, quiet).was_there
    assert len(site.asked) == 1


def test_an_archive_brought_by_hand_needs_no_network(site, tmp_path):
    origin = small_origin(site)
    (tmp_path / "ESC-50-master.zip").write_bytes(site.files.pop("ESC-50-master.zip"))
    assert fetch(origin, tmp_path, quiet).folder.is_dir()
    assert not site.asked


def test_without_a_network_the_message_says_what_to_do_by_hand(tmp_path):
    remote = Remote(f"http://127.0.0.1:{free_port()}/esc.zip", "ESC-50-master.zip")
    origin = replace(ORIGINS["esc50"], remotes=(remote,))
    with pytest.raises(DataError, match="refused") as raised:
        fetch(origin, tmp_path, quiet, pause_s=0)
    for step in (
        f"1. download {remote.url}",
        f"put the file, not unpacked, at {tmp_path / 'ESC-50-master.zip'}",
        f"audiocls data fetch esc50 --root {tmp_path}",
    ):
        assert step in str(raised.value)


def test_an_archive_with_too_few_clips_is_told_and_kept_for_inspection(site, tmp_path):
    with pytest.raises(DataError, match="got 6 clips, published are 7"):
        fetch(small_origin(site, num_clips=7), tmp_path, quiet)
    with pytest.raises(DataError, match="remove the folder, or finish it"):
        fetch(small_origin(site, num_clips=7), tmp_path, quiet)
    assert len(site.asked) == 1


def test_listed_clips_without_a_file_are_told(site, tmp_path):
    files = esc50()
    del files["ESC-50-master/audio/1-0-A-0.wav"]
    with pytest.raises(DataError, match=r"1 listed clips are not there: 1-0-A-0\.wav"):
        fetch(small_origin(site, content=zipped(files)), tmp_path, quiet)


def test_a_damaged_archive_leaves_nothing_that_could_be_taken_for_the_data(site, tmp_path):
    content = bytearray(zipped(esc50()))
    content[100] ^= 0xFF  # inside the first clip: its CRC-32 no longer fits
    with pytest.raises(DataError, match="it is damaged"):
        fetch(small_origin(site, content=bytes(content)), tmp_path, quiet)
    assert not (tmp_path / "ESC-50-master").exists()


DANGEROUS = {
    "zip with ..": zipped({"top/../../evil": b"x"}),
    "zip from the root": zipped({"/tmp/evil": b"x"}),
    "zip with a backslash": zipped({"top\\..\\..\\evil": b"x"}),
    "tar with ..": tarred((entry("top/../../evil"), b"x")),
    "tar from the root": tarred((entry("/tmp/evil"), b"x")),
    "tar through a link": tarred(
        (entry("top/out", link="../../.."), b""), (entry("top/out/evil"), b"x")
    ),
}


@pytest.mark.parametrize("content", DANGEROUS.values(), ids=DANGEROUS)
def test_nothing_is_ever_unpacked_outside_the_folder(content, tmp_path):
    (tmp_path / "archive").write_bytes(content)
    (tmp_path / "deep" / "inside").mkdir(parents=True)
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "archive", "top", tmp_path / "deep" / "inside", silent)
    assert not list(tmp_path.rglob("evil"))


def test_tar_archives_lose_their_top_folder_and_keep_the_rest(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(
        tarred((entry("./top/sub/a.wav"), b"a"), (entry("beside.txt"), b"b"))
    )
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.tar.gz", "top", tmp_path / "out", silent)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files == [tmp_path / "out" / "sub" / "a.wav"]


@pytest.mark.parametrize(
    "content",
    [b"no archive", tarred((entry("else/a"), b"a")), b"\x1f\x8bx"],
    ids=["garbage", "another folder", "torn"],  # an archive's bytes hold the time
)
def test_what_is_no_archive_or_lacks_its_folder_is_refused(content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "a", "top", tmp_path, silent)


LIST = '# created\n# num_ytids=2, num_segs=2, num_unique_labels=1\n# YTID\na, 0, 10, "/m/a"\n'


def lists_origin(site: Site, evaluation: str) -> Origin:
    site.files["eval_segments.csv"] = evaluation.encode()
    remote = site.remote("eval_segments.csv", is_archive=False)
    return replace(ORIGINS["audioset"], remotes=(remote,))


def test_a_list_with_as_many_rows_as_its_header_says_is_taken(site, tmp_path):
    origin = lists_origin(site, LIST + 'b, 0, 10, "/m/a"\n')
    assert not fetch(origin, tmp_path, quiet).was_there
    assert fetch(origin, tmp_path, quiet).was_there
    assert (tmp_path / "AudioSet" / "eval_segments.csv").is_file()


def test_a_shorter_list_is_not(site, tmp_path):
    with pytest.raises(DataError, match="got 1 rows, its header says 2"):
        fetch(lists_origin(site, LIST), tmp_path, quiet)


def test_every_remote_has_a_checksum_or_says_why_not():
    for origin in ORIGINS.values():
        for remote in origin.remotes:
            assert (remote.checksum is None) == bool(remote.unsummed)
            assert remote.url.startswith("https://")
            assert remote.checksum is None or remote.num_bytes


def test_what_cannot_be_fetched_says_what_to_do_instead():
    with pytest.raises(UsageError, match="audiocls data make synthetic"):
        origin_of("synthetic")
    with pytest.raises(UsageError, match="Did you mean 'esc50'"):
        origin_of("esc-50")
