"""What a launch decodes itself, while the process that its workers are forked of imports."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers.audio import uniform_noise, write_wav

from audiocls.audio.clips import ClipTable, fingerprint
from audiocls.audio.datasets import DataSet
from audiocls.audio.pack import SAMPLES, open_pack, pack_folder
from audiocls.execution import content
from audiocls.execution.content import data_notes, decode_ahead
from audiocls.studies import options
from audiocls.studies.ablation import resolved
from audiocls.studies.options import LaunchOptions
from audiocls.studies.request import AblationRequest, ablation_request

RATE = 8000

Planned = tuple[DataSet, ClipTable, str, Path]


def asked(folder: Path, rate: int = RATE) -> AblationRequest:
    """Return an ablation at that rate (Hz) over a folder whose recordings are of 8 kHz."""
    root = folder / "sounds"
    rows = ["path,label,split"]
    for number in range(12):
        name = f"{number}.wav"
        write_wav(root / name, uniform_noise(RATE, seed=number), RATE)
        rows.append(f"{name},{'ab'[number % 2]},{('train', 'val', 'test')[number // 2 % 3]}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    data = ["data.name=folder", f"data.root={root}", f"data.sample_rate={rate}"]
    return ablation_request("dropout", assignments=data)


def planned(folder: Path, rate: int = RATE) -> Planned:
    """Return the data of such an ablation after its check, and the cache."""
    config, cache = asked(folder, rate).plan()[1]["baseline"], folder / "cache"
    table = config.data.table(cache)
    known = fingerprint(table, cache)
    data_notes(config, table, known, (1,), cache)
    return config.data, table, known, cache


def test_a_small_pack_is_there_before_a_worker_asks_and_is_the_one_that_it_would_write(tmp_path):
    data, table, known, cache = planned(tmp_path)
    decode_ahead(data, table, known, cache)
    written = pack_folder(cache, known, RATE)
    by_worker = open_pack(table, known, RATE, tmp_path / "other")
    assert np.array_equal(np.fromfile(written / SAMPLES, np.int16), by_worker.samples)
    assert np.array_equal(np.load(written / "starts.npy"), by_worker.starts)


def test_a_pack_that_is_there_is_not_even_read(tmp_path, monkeypatch):
    data, table, known, cache = planned(tmp_path)
    decode_ahead(data, table, known, cache)
    monkeypatch.setattr(content, "open_pack", lambda *_: pytest.fail("read"))
    decode_ahead(data, table, known, cache)


def test_clips_that_are_resampled_are_left_to_those_who_have_torch(tmp_path, monkeypatch):
    data, table, known, cache = planned(tmp_path, rate=2 * RATE)
    monkeypatch.setitem(sys.modules, "torch", None)
    decode_ahead(data, table, known, cache)
    assert not pack_folder(cache, known, 2 * RATE).exists()


def test_large_data_is_left_to_workers_which_report_how_far_they_are(tmp_path, monkeypatch):
    data, table, known, cache = planned(tmp_path)
    monkeypatch.setattr(content, "MOST_AHEAD", 12 * RATE - 1)
    decode_ahead(data, table, known, cache)
    assert not pack_folder(cache, known, RATE).exists()


def test_a_recording_that_went_meanwhile_is_left_to_the_trial_that_says_so(tmp_path):
    data, table, known, cache = planned(tmp_path)
    table.clips[0].path.unlink()
    decode_ahead(data, table, known, cache)
    assert not pack_folder(cache, known, RATE).exists()


def test_a_plan_keeps_what_is_decoded_ahead_and_writes_no_pack_itself(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("AUDIOCLS_CACHE", str(cache))
    study = resolved(asked(tmp_path))
    assert not list(cache.glob("pack-*"))
    study.decode_ahead(cache)
    assert len(list(cache.glob("pack-*"))) == 1


def test_it_is_done_once_workers_were_asked_for_and_not_where_none_are(tmp_path, monkeypatch):
    order, done = list[str](), threading.Event()
    monkeypatch.setattr(options, "open_local", lambda *_: order.append("workers"))
    monkeypatch.setattr(options, "open_inline", lambda *_: order.append("inline"))

    def meanwhile() -> None:
        order.append("meanwhile")
        done.set()

    for executor in ("inline", "local"):
        chosen = LaunchOptions(tmp_path, executor=executor, devices="cpu", workers=1)
        opened = chosen.open_workers(tmp_path / "log", print, meanwhile)
        opened(None, threading.Event())
    assert done.wait(10)
    assert order == ["inline", "workers", "meanwhile"]
