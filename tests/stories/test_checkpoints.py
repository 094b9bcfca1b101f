"""What a finished trial can be used for: looked at, scored elsewhere, listened with, exported."""

import csv
import json
from pathlib import Path

import pytest
from helpers.audio import sine, write_wav
from helpers.trials import TrainedTrial

RATE = 8000


@pytest.fixture(scope="module")
def trial(tmp_path_factory, cache) -> str:
    """One finished trial for the whole story, of the recipe `tiny` at twice the rate."""
    folder = tmp_path_factory.mktemp("trial")
    return str(TrainedTrial({"data.sample_rate": RATE}, folder, cache).trial.path)


def write_tone(path: Path, seconds: float) -> str:
    samples = 0.27 * sine(382, RATE, round(seconds * RATE))[0].numpy()
    return str(write_wav(path, samples, RATE))


def test_a_trials_own_test_clips_give_its_record_to_the_last_digit(home, trial):
    record = json.loads(Path(trial, "record.json").read_text())
    found = home.run("evaluate", trial, "--json", "--out", "clips.csv").json()
    metrics = {f"test/{name}": value for name, value in found["metrics"].items()}
    recorded = {k: v for k, v in record["metrics"].items() if k.startswith("test/")}
    assert {name: metrics[name] for name in recorded} == recorded
    rows = list(csv.DictReader((home.path / "clips.csv").read_text().splitlines()))
    assert len(rows) == found["num_clips"] == record["num_test"]
    num_right = sum(row["label"] == row["predicted"] for row in rows)
    assert num_right / len(rows) == record["metrics"]["test/accuracy"]


def test_evaluate_tells_clips_that_were_trained_on_and_refuses_what_has_no_effect(here, trial):
    assert "this score is not a test result" in here.run("evaluate", trial, "--split", "train").err
    ended = here.run(
        "evaluate", trial, "--set", "optim.lr=1", "--set", "data.sample_rate=1", code=2
    )
    assert "optim.lr" in ended.err
    assert "data.sample_rate" in ended.err


def test_a_manifest_of_files_anywhere_is_scored(here, trial, tmp_path):
    write_tone(tmp_path / "tone.wav", 0.5)
    (tmp_path / "mine.csv").write_text("path,label\ntone.wav,am_tone\n")
    found = here.run("evaluate", trial, "--manifest", str(tmp_path / "mine.csv"), "--json").json()
    assert (found["num_clips"], sum(map(sum, found["confusion"]))) == (1, 1)
    (tmp_path / "mine.csv").write_text("path,label\ntone.wav,whale\n")
    ended = here.run("evaluate", trial, "--manifest", str(tmp_path / "mine.csv"), code=2)
    assert "whale" in ended.err


def test_predict_listens_to_folders_window_by_window_into_a_file(here, trial, tmp_path):
    write_tone(tmp_path / "sounds" / "short.wav", 0.3)
    write_tone(tmp_path / "sounds" / "long.wav", 1.2)
    (tmp_path / "sounds" / "notes.txt").write_text("no sound")
    out = tmp_path / "labels.csv"
    words = ("--windows", "--top", "2", "--format", "csv", "--out", str(out))
    assert here.run("predict", trial, str(tmp_path / "sounds"), *words).out == ""
    rows = list(csv.DictReader(out.read_text().splitlines()))
    spans = [(Path(row["file"]).name, row["start_s"], row["end_s"], row["rank"]) for row in rows]
    long = [("0", "1"), ("1", "1.2")]
    assert spans == [
        *(("long.wav", *span, rank) for span in long for rank in "12"),
        *(("short.wav", "0", "0.3", rank) for rank in "12"),
    ]


def test_predict_refuses_a_threshold_that_has_no_effect(here, trial):
    ended = here.run("predict", trial, "x.wav", "--threshold", "0.5", code=2)
    assert "no effect" in ended.err


@pytest.mark.parametrize("form", ["onnx", "torchscript"])
def test_export_writes_one_file_and_says_how_well_it_agrees(home, here, trial, tmp_path, form):
    out = tmp_path / f"model.{form}"
    where = {"onnx": here, "torchscript": home}[form]
    found = where.run("export", trial, "--format", form, "--out", str(out), "--json").json()
    assert out.stat().st_size == found["bytes"]
    assert found["max_difference"] < 1e-3
    assert len(found["labels"]) == 10


def test_show_costs_what_the_record_says(home, here, trial):
    cost = json.loads(Path(trial, "record.json").read_text())["cost"]
    found = home.run("show", "tiny", "data.duration_s=1", "--json").json()
    assert (found["params"], found["macs"]) == (cost["num_params"], cost["macs"])
    assert here.run("show", "tiny", "model.dropout=0.5").out.count("Dropout") == 1


def test_show_needs_the_data_or_the_number_of_classes(here):
    assert "--classes" in here.run("show", "tiny", "data.name=esc50", code=2).err
    words = ("data.name=esc50", "data.duration_s=0.5", "--classes", "50", "--json")
    assert here.run("show", "tiny", *words).json()["num_classes"] == 50
