"""What every data set owes, whatever its layout.

The data sets are those of the union `DataSet`. A new one joins by joining it, and by a function in
`LAYOUTS` that writes a few of its clips, unless it makes its own.

Legend: B batch, C channels, L frames.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from helpers.layouts import LAYOUTS, RATE, write_noise

from audiocls.audio.clips import fingerprint
from audiocls.audio.dataset import open_dataset
from audiocls.audio.datasets import DataSet, Synthetic
from audiocls.audio.features import LogMel
from audiocls.errors import DataError
from audiocls.testing import data as owed

KINDS = get_args(get_args(DataSet)[0])


class Made:
    """A data set of one kind, with its clips on disk."""

    def __init__(self, kind: Any, place: Path, cache: Path):
        self.kind, self.cache = kind, cache
        self.root = place / "root"
        if kind is not Synthetic:
            self.root.mkdir(parents=True)
            LAYOUTS[kind().name](self.root)
        self.data = self.at(self.root)
        self.table = self.data.table(cache)

    def at(self, root: Path) -> Any:
        if self.kind is Synthetic:
            return Synthetic(num_sources=5, clips_per_source=1, sample_rate=RATE, duration_s=0.2)
        return self.kind(root=str(root), sample_rate=RATE, duration_s=0.2)


@pytest.fixture(params=KINDS, ids=lambda kind: kind().name)
def made(request, tmp_path, cache) -> Made:
    return Made(request.param, tmp_path, cache)


@pytest.fixture(params=[kind for kind in KINDS if kind is not Synthetic], ids=lambda k: k().name)
def found(request, tmp_path, cache) -> Made:
    """One whose files are not of its own making."""
    return Made(request.param, tmp_path, cache)


def test_the_options_that_all_share_are_there(made):
    data = made.data
    assert data.name == made.kind.model_fields["name"].default
    assert {"root", "sample_rate", "duration_s"} <= set(made.kind.model_fields)
    assert data.num_folds is None or data.num_folds >= 1
    assert data.is_multi_label == made.table.is_multi_label
    assert hash(data) == hash(made.at(made.root))  # a key of what is kept open


def test_reading_the_table_twice_gives_the_same_and_changes_nothing(made):
    before = sorted(made.root.rglob("*"))
    assert made.data.table(made.cache) == made.table
    assert sorted(made.root.rglob("*")) == before


def test_the_folds_are_as_many_as_announced_and_count_from_one(made):
    assert min(made.table.folds) == 1
    if made.data.num_folds is not None:
        assert made.table.folds == tuple(range(1, made.data.num_folds + 1))


@pytest.mark.parametrize("rule", owed.RULES, ids=lambda rule: rule.__name__)
def test_its_table_keeps_the_contract(made, rule):
    rule(made.table)


def test_where_it_lies_changes_neither_ids_nor_fingerprint(made, tmp_path):
    if made.kind is Synthetic:
        moved = made.at(made.root).table(tmp_path / "another cache")
    else:
        shutil.copytree(made.root, tmp_path / "moved")
        moved = made.at(tmp_path / "moved").table(made.cache)
    assert [clip.id for clip in moved.clips] == [clip.id for clip in made.table.clips]
    assert moved.clips[0].path != made.table.clips[0].path
    assert fingerprint(moved, made.cache) == fingerprint(made.table, made.cache)


def test_at_a_url_it_is_the_same_data(found):
    there = found.kind(root=f"file://{found.root}", sample_rate=RATE, duration_s=0.2)
    table = there.table(found.cache)
    assert [clip.id for clip in table.clips] == [clip.id for clip in found.table.clips]
    assert fingerprint(table, found.cache) == fingerprint(found.table, found.cache)
    assert not table.clips[0].path.is_relative_to(found.root)


def test_another_sound_in_one_file_is_other_data(found, tmp_path):
    before = fingerprint(found.table, tmp_path)
    clip = found.table.clips[0]
    if clip.member is None:
        write_noise(clip.path, seed=99)
    else:  # its last sample, within the shard
        content = bytearray(clip.path.read_bytes())
        content[sum(clip.member) - 1] ^= 1
        clip.path.write_bytes(content)
    assert fingerprint(found.data.table(found.cache), tmp_path / "fresh") != before


def test_its_sounds_are_features_of_the_length_asked_for(made, tmp_path):
    known = fingerprint(made.table, tmp_path)
    features = LogMel(n_mels=8, n_fft=128, hop=64)
    sounds = open_dataset(made.data, features, made.table, known, tmp_path)
    num_samples = round(0.2 * RATE)
    clips = np.arange(len(made.table.clips))
    assert sounds.unaugmented(clips).shape == (len(clips), *features.shape(num_samples, RATE))
    assert sounds.unaugmented(clips).isfinite().all()
    assert sounds.targets.tolist() == made.table.targets().tolist()


def test_a_root_that_is_missing_says_how_to_give_one(found, tmp_path):
    for data in (found.kind(), found.kind(root=str(tmp_path / "nowhere"))):
        with pytest.raises(DataError, match=r"--set data\.root=DIR"):
            data.table(found.cache)


def test_reading_a_table_does_not_import_torch(made):
    code = (
        "import sys, pathlib\n"
        "from audiocls.audio import datasets\n"
        f"data = datasets.{made.kind.__name__}.model_validate_json(sys.argv[1])\n"
        "data.table(pathlib.Path(sys.argv[2]))\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, made.data.model_dump_json(), str(made.cache)]
    assert subprocess.run(command, check=False).returncode == 0
