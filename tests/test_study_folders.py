"""Studies on disk: what they found is listed, and no study loses what it cannot get back."""

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.records import finished_study, paired_values, write_study
from helpers.trials import make_job
from typer.testing import CliRunner

import audiocls
from audiocls.cli import app
from audiocls.errors import UsageError
from audiocls.execution.job import TrackingConfig, native_job
from audiocls.render.build.runs import study_runs
from audiocls.store import Request, StudyFolder

REQUEST = Request("sweep launch", "dropout")


def write(runs: Path, name: str = "words", **options: object) -> StudyFolder:
    study, records = finished_study(paired_values(0.05, 0.0), request=REQUEST, **options)
    return write_study(runs / name, replace(study, name=name), records)


def files_of(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_a_list_says_what_was_found_how_much_is_done_and_how_large_it_is(tmp_path):
    folder = write(tmp_path)
    (folder.path / "trials" / "base-0-1" / "record.json").unlink()
    [row] = audiocls.list_studies(runs=tmp_path).rows()
    assert (row["name"], row["kind"], row["trials"]) == ("words", "ablation", "44/45")
    assert row["bytes"] == sum(map(len, files_of(folder.path).values()))
    write(tmp_path, "whole")
    whole = audiocls.list_studies(runs=tmp_path).rows()[0]
    assert whole["answer"] == "arm0 better, 1 equivalent"


def test_a_list_names_a_study_that_cannot_be_read_and_goes_on(tmp_path):
    write(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "study.yaml").write_text("{")
    ran = CliRunner().invoke(app, ["study", "list", "--runs", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    assert "broken" in ran.output
    assert "45/45" in ran.output


def test_a_renamed_study_keeps_its_trials_and_goes_on_under_its_new_name(tmp_path):
    folder = write(tmp_path)
    before = {name: text for name, text in files_of(folder.path).items() if "trials" in name}
    kept = audiocls.rename_study("words", "speech", runs=tmp_path)
    renamed = StudyFolder(tmp_path / "speech")
    assert kept.path == renamed.path
    assert not folder.path.exists()
    study = renamed.study()
    assert (study.name, study.command) == ("speech", "audiocls sweep launch dropout --study speech")
    assert study.request == replace(REQUEST, study="speech")
    assert {n: t for n, t in files_of(renamed.path).items() if "trials" in n} == before
    assert audiocls.status("speech", runs=tmp_path).counts["done"] == 45


def test_runs_at_wandb_stay_one_group_however_often_a_study_is_renamed(tmp_path):
    write(tmp_path)
    for old, new in (("words", "speech"), ("speech", "talk")):
        audiocls.rename_study(old, new, runs=tmp_path)
    folder = StudyFolder(tmp_path / "talk")
    cell = folder.study().cells[0]
    config = make_job(tmp_path).spec.config
    tracking = TrackingConfig("offline", "p")

    class Configured:
        data = SimpleNamespace(num_folds=5)

        def model_dump(self, mode):
            return config

    assert native_job(folder, cell, Configured(), "f", tracking).study == "words"
    study = replace(folder.study(), name=folder.tracked_name)
    assert study_runs(study, folder.records(study.cells), {}).group == "words"


def test_noise_and_tuning_move_with_the_study_that_they_are_of(tmp_path):
    write(tmp_path)
    write(tmp_path, "words-noise", kind="noise", of="words")
    write(tmp_path, "words.tuning", kind="tuning", of="words")
    with pytest.raises(UsageError, match="belongs to the study 'words' and is renamed with it"):
        audiocls.rename_study("words-noise", "x", runs=tmp_path)
    audiocls.rename_study("words", "speech", runs=tmp_path)
    assert audiocls.list_studies(runs=tmp_path).names == ("speech", "speech-noise", "speech.tuning")
    assert StudyFolder(tmp_path / "speech-noise").study().of == "speech"


@pytest.mark.parametrize("name", ["", "a/b", "..", "there"])
def test_a_name_that_no_folder_can_have_or_that_is_taken_is_refused(tmp_path, name):
    write(tmp_path)
    write(tmp_path, "there")
    with pytest.raises(UsageError):
        audiocls.rename_study("words", name, runs=tmp_path)
    assert audiocls.list_studies(runs=tmp_path).names == ("there", "words")


@pytest.mark.parametrize(
    "words", [["rename", "words", "new"], ["delete", "words", "--yes"], ["archive", "words"]]
)
def test_nothing_is_done_to_a_study_while_a_launch_or_a_trial_is_at_work(tmp_path, words):
    folder = write(tmp_path)
    before = files_of(folder.path)
    with folder.launches.joined("now"):
        ran = CliRunner().invoke(app, ["study", *words, "--runs", str(tmp_path)])
        assert ran.exit_code == 2
        assert "is being run" in ran.output
        assert "audiocls sweep stop words" in ran.output
    with folder.trial("base-0-1").lease() as is_mine:
        assert is_mine
        ran = CliRunner().invoke(app, ["study", *words, "--runs", str(tmp_path)])
        assert "1 trial is held" in ran.output
    kept = files_of(folder.path)
    assert {name: kept.get(name) for name in before} == before


def test_deleting_asks_first(tmp_path):
    folder = write(tmp_path)
    ran = CliRunner().invoke(app, ["study", "delete", "words", "--runs", str(tmp_path)])
    assert ran.exit_code == 2  # nobody is there to be asked
    assert "45 finished trials" in ran.output
    assert folder.exists()
    with pytest.raises(UsageError, match="Say so with yes=True"):
        audiocls.delete_study("words", runs=tmp_path)
    size = sum(map(len, files_of(folder.path).values()))
    assert audiocls.delete_study("words", yes=True, runs=tmp_path).num_bytes == size
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="no study 'words'"):
        audiocls.delete_study("words", yes=True, runs=tmp_path)


@pytest.mark.parametrize("words", [["rename", "new"], ["delete", "--yes"], ["archive"]])
def test_a_study_goes_by_its_own_name_alone_and_not_by_the_file_that_it_is_of(tmp_path, words):
    folder = write(tmp_path)
    verb, *rest = words
    ran = CliRunner().invoke(app, ["study", verb, "dropout", *rest, "--runs", str(tmp_path)])
    assert ran.exit_code == 2
    assert "no study 'dropout'" in ran.output
    assert folder.exists()


def test_an_archive_comes_back_by_the_command_that_is_stated(tmp_path):
    folder = write(tmp_path)
    write(tmp_path, "words.tuning", kind="tuning", of="words")
    before = files_of(tmp_path)
    kept = audiocls.archive_study("words", runs=tmp_path)
    assert kept.path == tmp_path / "words.tar.gz"
    assert [path.name for path in tmp_path.iterdir()] == ["words.tar.gz"]
    assert kept.num_bytes < sum(map(len, before.values()))
    [command] = (note.removeprefix("back: ") for note in kept.notes)
    subprocess.run(command, shell=True, check=True)
    kept.path.unlink()
    assert files_of(tmp_path) == before
    assert folder.study().name == "words"


def test_an_archive_replaces_nothing_and_may_leave_the_folder(tmp_path):
    folder = write(tmp_path)
    audiocls.archive_study("words", out=tmp_path / "a.tar.gz", keep=True, runs=tmp_path)
    assert folder.exists()
    with pytest.raises(UsageError, match="already exists; name another with --out"):
        audiocls.archive_study("words", out=tmp_path / "a.tar.gz", runs=tmp_path)
    assert folder.exists()
