"""Data sets from the command line: what there is, made, examined, and fetched without a network."""

import os

import pytest

MAKE = ("data", "make", "synthetic", "--out", "sounds", "--set", "data.num_sources=5")


@pytest.fixture
def made(here):
    here.run(*MAKE)
    return here.path / "sounds"


def test_list_names_every_data_set_with_its_licence_and_the_command(home):
    rows = {row["name"]: row for row in home.run("data", "list", "--json").json()}
    assert set(rows) == {
        "synthetic",
        "esc50",
        "urbansound8k",
        "speechcommands",
        "audioset",
        "folder",
        "shards",
    }
    assert rows["urbansound8k"]["command"] == "fetch urbansound8k"
    assert "CC BY-NC" in rows["esc50"]["licence"]
    printed = home.run("data", "list").out
    assert all(row["licence"] in printed for row in rows.values())


def test_made_data_is_one_data_set_in_two_layouts(here, made):
    esc50, folder = (
        here.run("data", "check", name, "--set", f"data.root={made}", "--json").json()
        for name in ("esc50", "folder")
    )
    assert esc50["is_usable"]
    assert esc50["findings"] == folder["findings"] == []
    assert esc50["sides"] == folder["sides"] == {f"fold {k}": 20 for k in range(1, 6)}
    assert esc50["classes"] == folder["classes"]


def test_made_data_is_that_which_trains_without_being_written(home):
    home.run(*MAKE)
    names = sorted(path.name for path in (home.path / "sounds/audio").iterdir())
    built_in = home.run(
        "data", "check", "synthetic", "--set", "data.num_sources=5", "--json"
    ).json()
    assert built_in["num_clips"] == len(names) == 100


def test_nothing_is_written_over(here, made):
    ended = here.run("data", "make", "synthetic", "--out", "sounds", code=2)
    assert "already exists" in ended.err


def test_check_ends_with_2_on_faults_and_with_0_on_warnings(here, made):
    clips = sorted((made / "audio").iterdir())
    clips[1].write_bytes(clips[0].read_bytes())  # another take of the same source and fold
    root = ["--set", f"data.root={made}"]
    assert "duplicated" in here.run("data", "check", "esc50", *root).out
    clips[0].unlink()
    ended = here.run("data", "check", "esc50", *root, code=2)
    assert f"1 clip listed and not there: {clips[0].name}" in ended.out
    assert "1 fault makes this data unusable" in ended.err
    as_json = here.run("data", "check", "esc50", *root, "--json", code=2).json()
    assert [finding["kind"] for finding in as_json["findings"]] == ["missing"]


def test_wrong_names_and_keys_suggest_the_nearest(here):
    assert "Did you mean 'esc50'" in here.run("data", "check", "esc-50", code=2).err
    wrong = here.run("data", "check", "esc50", "--set", "data.rooot=x", code=2)
    assert "data.rooot: unknown key. Did you mean 'root'" in wrong.err
    assert "audiocls data fetch" in here.run("data", "make", "esc50", code=2).err


def test_without_a_network_fetch_says_what_to_do_by_hand(home, monkeypatch):
    for name in [name for name in os.environ if name.lower() in ("no_proxy", "all_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    ended = home.run("data", "fetch", "esc50", "--root", "data", code=2)
    assert "By hand:" in ended.err
    assert "put the file, not unpacked, at data/ESC-50-master.zip" in ended.err
    assert ended.out == ""


def test_manifest_writes_what_is_recognised_and_nothing_over(here, made):
    ended = here.run("data", "manifest", str(made), code=2)
    assert "exists already" in ended.err
    given = ["--set", "data.labels=multi", "--out", str(made / "mine.csv")]
    ended = here.run("data", "manifest", str(made), *given)
    assert "100 clips, 10 classes" in ended.out
    assert "--set data.manifest=mine.csv --set data.labels=multi" in ended.err
    assert (made / "mine.csv").read_text().startswith("path,label,fold,source\n")
    assert "not a folder" in here.run("data", "manifest", "nowhere", code=2).err
