"""Data at a URL: fetched once, kept by what was listed, and refused in one sentence."""

import errno
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from helpers.own_data import sounds
from helpers.processes import Home
from helpers.recipes import TINY_ABLATION_YAML, TINY_RECIPE_YAML

from audiocls import extras
from audiocls.audio import remote
from audiocls.audio.check import check
from audiocls.audio.clips import fingerprint
from audiocls.audio.datasets import Folder
from audiocls.audio.remote import last_copy, local_copy, require_intact
from audiocls.errors import DataError, MachineFault, UsageError
from audiocls.execution.cluster import tables
from audiocls.execution.cluster.dispatch import paths_of
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store.data_roots import remember_roots, root_of

NAMES = [f"{label}/{i}.wav" for label in ("dog", "robin") for i in range(10)]
URL = "memory://bucket/birds"


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """A folder for each of two classes."""
    sounds(tmp_path / "birds", *NAMES)
    return tmp_path / "birds"


@pytest.fixture
def bucket(birds: Path) -> Iterator[MemoryFileSystem]:
    """The same in a store that is none of this machine's folders."""
    store = fsspec.filesystem("memory")
    for name in NAMES:
        store.pipe(f"/bucket/birds/{name}", (birds / name).read_bytes())
    remote._listed.cache_clear()
    yield store
    store.store.clear()
    remote._listed.cache_clear()


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of all files that are fetched."""
    seen: list[str] = []
    get = MemoryFileSystem.get

    def counting(self: MemoryFileSystem, sources: list[str], places: list[str]) -> None:
        seen.extend(sources)
        get(self, sources, places)

    monkeypatch.setattr(MemoryFileSystem, "get", counting)
    return seen


@pytest.fixture
def own_cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be listed from here on."""

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(MemoryFileSystem, "find", refuse)
    remote._listed.cache_clear()


def test_data_at_a_url_is_the_data_of_a_folder(birds, bucket, own_cache):
    here, there = (Folder(root=root).table(own_cache) for root in (str(birds), URL))
    assert [clip.id for clip in there.clips] == [clip.id for clip in here.clips]
    assert fingerprint(there, own_cache) == fingerprint(here, own_cache)
    assert all(clip.path.is_relative_to(own_cache) for clip in there.clips)


def test_files_are_fetched_once(bucket, own_cache, fetches):
    for _ in range(2):
        remote._listed.cache_clear()  # as another process would have it
        Folder(root=URL).table(own_cache)
    assert len(fetches) == len(NAMES)


def test_files_that_have_changed_are_fetched_anew(bucket, own_cache):
    before = fingerprint(Folder(root=URL).table(own_cache), own_cache)
    bucket.pipe("/bucket/birds/dog/0.wav", bucket.cat("/bucket/birds/robin/0.wav"))
    remote._listed.cache_clear()
    assert fingerprint(Folder(root=URL).table(own_cache), own_cache) != before


def test_a_process_asks_again_after_a_while(bucket, own_cache, monkeypatch):
    first = local_copy(URL, own_cache)
    bucket.pipe("/bucket/birds/dog/10.wav", b"new")
    assert local_copy(URL, own_cache) == first
    monkeypatch.setattr(remote, "LISTED_S", remote.LISTED_S / 1000)
    assert local_copy(URL, own_cache) != first


def test_an_archive_is_a_folder_by_a_url_of_fsspec(birds, tmp_path, own_cache):
    with zipfile.ZipFile(tmp_path / "birds.zip", "w") as archive:
        for name in NAMES:
            archive.write(birds / name, name)
    table = Folder(root=f"zip::file://{tmp_path}/birds.zip").table(own_cache)
    assert [clip.id for clip in table.clips] == [
        clip.id for clip in Folder(root=str(birds)).table(own_cache).clips
    ]


def test_what_is_checked_of_a_folder_is_checked_of_a_url(bucket, own_cache):
    listed = NAMES[1:-1]
    rows = "".join(f"{name},{name.partition('/')[0]}\n" for name in listed)
    bucket.pipe("/bucket/birds/manifest.csv", f"path,label\n{rows}".encode())
    quality = check(Folder(root=URL), own_cache, lambda done, total: None)
    assert "2 clips in the folder and in no row" in " ".join(f.text for f in quality.findings)


class TestOffline:
    def test_what_was_fetched_last_is_used_and_that_is_told(
        self, bucket, own_cache, monkeypatch, caplog
    ):
        copy = local_copy(URL, own_cache)
        offline(monkeypatch)
        assert local_copy(URL, own_cache) == copy
        assert "no route to host" in caplog.text
        assert "fetched from there last is used" in caplog.text

    def test_without_it_the_url_is_named(self, bucket, own_cache, monkeypatch):
        offline(monkeypatch)
        with pytest.raises(DataError, match=f"data.root={URL}: cannot be read .*no route to host"):
            local_copy(URL, own_cache)


class TestWorker:
    @pytest.fixture
    def launched(self, tiny_config, own_cache):
        """Return a configuration on this data, and the fingerprint that a launch found."""

        def make(**options: object):
            data = {"name": "folder", "root": URL, "sample_rate": 8000, "duration_s": 0.1}
            config = tiny_config({"data": {**data, **options}})
            return config, fingerprint(config.data.table(own_cache), own_cache)

        return make

    def test_a_worker_asks_no_network_where_the_launch_has_fetched(
        self, bucket, launched, own_cache, monkeypatch, caplog
    ):
        config, known = launched()
        offline(monkeypatch)
        caplog.clear()
        dataset = WorkerCache(own_cache).dataset(config, known)
        assert len(dataset.table.clips) == len(NAMES)
        assert not caplog.text

    def test_a_machine_that_has_nothing_fetches_by_itself(
        self, bucket, launched, own_cache, tmp_path, fetches
    ):
        config, known = launched(pack=False)
        before = len(fetches)
        other = WorkerCache(tmp_path / "another machine's")
        assert len(other.dataset(config, known).table.clips) == len(NAMES)
        assert len(fetches) == 2 * before

    def test_what_has_changed_since_the_launch_is_not_trained_on(
        self, bucket, launched, own_cache, tmp_path
    ):
        config, known = launched()
        bucket.pipe("/bucket/birds/dog/0.wav", bucket.cat("/bucket/birds/robin/0.wav"))
        remote._listed.cache_clear()
        other = WorkerCache(tmp_path / "another machine's")
        with pytest.raises(DataError, match="has changed since the launch began"):
            other.dataset(config, known)

    def test_undecoded_recordings_are_read_where_a_node_has_fetched_them(
        self, bucket, launched, own_cache, tmp_path, monkeypatch
    ):
        """The list that a node of a cluster is sent has the paths of another machine."""
        config, known = launched(pack=False)
        assert "data.root" not in paths_of(config)
        folder = tmp_path / "tables"
        monkeypatch.setenv(tables.TABLES, str(folder))
        tables.keep_table(folder, known, tables.table_bytes(config.data.table(own_cache)))
        dataset = WorkerCache(tmp_path / "node").dataset(config, known)
        assert all(clip.path.is_relative_to(tmp_path / "node") for clip in dataset.table.clips)

    def test_a_damaged_copy_is_not_decoded(self, bucket, launched, own_cache):
        launched()
        (last_copy(URL, own_cache) / "dog/3.wav").write_bytes(b"")
        with pytest.raises(DataError, match=r"1 file not as fetched .*files/dog/3\.wav"):
            require_intact(URL, own_cache)


def refused(root: str, cache: Path) -> str:
    with pytest.raises((DataError, UsageError)) as raised:
        Folder(root=root).table(cache)
    [line] = str(raised.value).splitlines()
    return line


class TestRefusals:
    def test_a_backend_that_is_not_installed_says_what_to_install(self, own_cache):
        pytest.importorskip("fsspec")
        if extras.find_spec("s3fs"):
            pytest.skip("s3fs is installed")
        assert "Install s3fs" in refused("s3://bucket/birds", own_cache)

    def test_an_unknown_protocol_is_named_with_the_nearest(self, own_cache):
        assert "has no protocol 'memori'. Did you mean 'memory'?" in refused(
            "memori://b", own_cache
        )

    def test_a_missing_fsspec_names_the_extra(self, own_cache, monkeypatch):

        monkeypatch.setattr("builtins.__import__", _without_fsspec(__import__))
        monkeypatch.setattr(extras, "find_spec", lambda name: None)
        assert "pip install 'audiocls[remote]'" in refused(URL, own_cache)

    def test_a_folder_without_files_and_a_file_are_no_folders(self, bucket, birds, own_cache):
        assert "there are no files" in refused("memory://bucket/fish", own_cache)
        file = f"file://{birds / NAMES[0]}"
        assert "wanted the URL of a folder" in refused(file, own_cache)

    def test_a_store_that_knows_no_versions_is_refused(self, bucket, own_cache, monkeypatch):
        """A web server's list of a folder has names alone: a change would go unnoticed."""
        monkeypatch.setattr(remote, "VERSIONS", ("ETag",))
        assert "neither a tag nor a time of change of dog/0.wav" in refused(URL, own_cache)

    def test_a_password_is_not_taken(self, own_cache):
        told = refused("ftp://me:secret@host/birds", own_cache)
        assert "a URL with a password" in told
        assert "secret" not in told

    def test_files_that_are_written_meanwhile_are_no_copy(self, bucket, own_cache, monkeypatch):
        get = MemoryFileSystem.get

        def cut(self: MemoryFileSystem, sources: list[str], places: list[str]) -> None:
            get(self, sources, places)
            Path(places[3]).write_bytes(b"half")

        monkeypatch.setattr(MemoryFileSystem, "get", cut)
        assert "1 file of another size than listed" in refused(URL, own_cache)
        assert last_copy(URL, own_cache) is None

    def test_a_full_disk_is_the_machine_s(self, bucket, own_cache, monkeypatch):
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(MemoryFileSystem, "get", full)
        with pytest.raises(MachineFault):
            Folder(root=URL).table(own_cache)


def _without_fsspec(real: Callable[..., object]) -> Callable[..., object]:
    def imported(name: str, *rest: object, **others: object) -> object:
        if name.partition(".")[0] == "fsspec":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **others)

    return imported


def test_where_data_lay_is_kept_as_a_url(tmp_path):
    remember_roots(tmp_path, {"f": URL})
    assert root_of(tmp_path, "f") == URL


def test_a_launch_trains_on_data_at_a_url(bucket, own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOCLS_CACHE", str(own_cache))
    monkeypatch.chdir(tmp_path)
    data = f"data: {{name: folder, root: '{URL}', sample_rate: 8000, duration_s: 0.1}}\n"
    Path("recipes").mkdir()
    Path("recipes/tiny.yaml").write_text(re.sub("data: .*\n", data, TINY_RECIPE_YAML))
    Path("tiny.yaml").write_text(TINY_ABLATION_YAML)
    home = Home(tmp_path, is_in_process=True)
    home.launch("--arms", "baseline", "--seeds", "0")
    assert len(home.finished()) == 1
    assert URL in Path("runs/tiny/data_roots.json").read_text()
