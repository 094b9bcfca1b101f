"""An exported file says how to use it, and whoever does so gets what `predict` gives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.audio import uniform_noise, write_wav
from helpers.trials import TrainedTrial
from typer.testing import CliRunner

import audiocls
from audiocls.cli import app
from audiocls.errors import UsageError
from audiocls.training import onnx_model

RATE = 16000
SECONDS = (0.37, 1.0, 2.6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("deploying")


@pytest.fixture(scope="module")
def trial(folder, cache) -> Path:
    return TrainedTrial({}, folder / "trial", cache).trial.path


@pytest.fixture(scope="module")
def exported(folder, trial) -> audiocls.Exported:
    return audiocls.export(trial, folder / "net.onnx")


@pytest.fixture(scope="module")
def sounds(folder) -> list[Path]:
    """Recordings shorter than a clip of training, as long, and longer; one of them in stereo."""
    files = []
    (folder / "inbox").mkdir()
    for seconds in SECONDS:
        samples = 0.3 * uniform_noise(2 * round(RATE * seconds)).reshape(-1, 2)
        channels = samples if seconds == SECONDS[0] else samples[:, 0]
        files.append(write_wav(folder / "inbox" / f"{seconds}.wav", channels, RATE))
    return files


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, cwd=cwd, check=False)


def as_printed(text: str) -> dict[str, float]:
    pairs = (line.split("\t") for line in text.splitlines())
    return {label: float(share) for label, share in pairs}


def test_the_program_beside_the_file_gives_what_predict_gives(exported, trial, sounds, folder):
    program = Path(f"{exported.file}.py")
    assert program.read_text() == exported.snippet
    assert len(exported.snippet.splitlines()) <= 10
    assert "audiocls" not in exported.snippet
    for file in sounds:
        ran = run(sys.executable, program.name, str(file), cwd=folder)
        assert ran.returncode == 0, ran.stderr
        [expected] = audiocls.predict(trial, file)
        assert as_printed(ran.stdout) == pytest.approx(expected.probabilities, abs=1e-4)
        assert next(iter(as_printed(ran.stdout))) == expected.label


def test_the_program_refuses_a_rate_that_is_not_the_models(exported, folder):
    file = write_wav(folder / "other.wav", uniform_noise(8000), 8000)
    ran = run(sys.executable, f"{exported.file.name}.py", str(file), cwd=folder)
    assert ran.returncode != 0
    assert "resample to 16000 Hz first: got 8000 Hz" in ran.stderr


def test_predict_takes_the_file_and_agrees_with_its_trial(exported, trial, sounds, folder):
    ours = list(audiocls.predict(trial, folder / "inbox", windows=True))
    theirs = list(audiocls.predict(exported.file, folder / "inbox", windows=True))
    assert [each.file for each in theirs] == sorted(sounds) == [each.file for each in ours]
    for one, other in zip(ours, theirs, strict=True):
        assert other.probabilities == pytest.approx(one.probabilities, abs=1e-4)
        assert [w.end_s for w in other.windows] == [w.end_s for w in one.windows]


def test_predictions_of_the_file_need_no_torch(exported, sounds):
    program = (
        "import sys, audiocls\n"
        f"print(audiocls.predict({str(exported.file)!r}, {str(sounds[0])!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    ran = run(sys.executable, "-c", program, cwd=Path(__file__).parent.parent)
    assert ran.returncode == 0, ran.stderr
    assert str(sounds[0]) in ran.stdout


def test_without_onnxruntime_it_is_refused_with_what_to_install(exported, sounds, monkeypatch):
    monkeypatch.setattr(onnx_model, "NEEDED", "nowhere_to_be_found")
    with pytest.raises(UsageError, match="pip install nowhere_to_be_found; or give the trial"):
        audiocls.predict(exported.file, sounds[0])


def test_other_files_of_onnx_are_refused(tmp_path, exported):
    import onnx

    model = onnx.load(exported.file)
    facts = {item.key: item.value for item in model.metadata_props}
    for changes, said in (
        ({"labels": None}, "audiocls export did not write it"),
        ({"input": "features"}, "takes features and no audio; export it with --front-end"),
    ):
        kept = {key: value for key, value in (facts | changes).items() if value is not None}
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, kept)
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(UsageError, match=said):
            audiocls.predict(tmp_path / "other.onnx", "a.wav")
    (tmp_path / "text.onnx").write_text("nothing")
    for name, said in (("text.onnx", "cannot read it"), ("none.onnx", "no such file")):
        with pytest.raises(UsageError, match=said):
            audiocls.predict(tmp_path / name, "a.wav")


def test_what_its_user_must_know_lies_beside_it_and_inside(exported):
    import onnxruntime

    beside = json.loads(Path(f"{exported.file}.json").read_text())
    inside = onnxruntime.InferenceSession(exported.file).get_modelmeta().custom_metadata_map
    for key in ("sample_rate", "num_samples", "input_shape", "labels"):
        assert beside[key] == json.loads(inside[key]) == exported.metadata[key]
    for key in ("input_dtype", "padding", "channels", "length", "output"):
        assert beside[key] == inside[key]
    assert json.loads(inside["input_range"]) == [-1.0, 1.0]
    assert (inside["length"], inside["input_dtype"]) == ("any", "float32")
    assert "zeros follow" in inside["padding"]


def test_the_card_says_what_it_is_of_what_it_reached_and_what_it_is_not_for(exported, trial):
    card = Path(f"{exported.file}.md").read_text().replace("\\", "")
    record = json.loads((trial / "record.json").read_text())
    accuracy = record["metrics"]["test/accuracy"]
    for part in ("Use", "Training data", "Recipe", "Result", "Limits", "Versions"):
        assert f"### {part}\n" in card
    for text in (
        "synthetic sounds",
        "**licence**: yours",
        f"**test/accuracy**: {accuracy:.4f} [",
        "95 % over recordings",
        "mean of all; 16000 Hz",
        record["provenance"]["torch"],
        *exported.metadata["labels"],
    ):
        assert text in card, text


def test_the_command_prints_the_program_that_it_writes(trial, tmp_path, monkeypatch):
    made = audiocls.Exported(
        tmp_path / "net.onnx", 1, "waves", {"labels": ["a"]}, 0.0, (), (), "import json\nprint(1)\n"
    )
    monkeypatch.setattr(audiocls, "export", lambda *_, **__: made, raising=False)
    ran = CliRunner().invoke(app, ["export", str(trial), "--out", str(tmp_path / "net.onnx")])
    assert ran.exit_code == 0, ran.output
    assert made.snippet.rstrip() in ran.output


def test_several_labels_have_a_program_of_their_own():
    from audiocls.render.build.usage_snippet import usage_snippet

    facts = {"input": "waves", "sample_rate": 8000, "output": "logits, sigmoid"}
    for form in ("onnx", "torchscript"):
        text = usage_snippet("net", form, facts)
        compile(text, "net.py", "exec")
        assert len(text.splitlines()) <= 10
    logits = np.array([-1000.0, 0.0, 3.0])
    with np.errstate(over="ignore"):
        shares = 1 / (1 + np.exp(-logits))
    assert shares.tolist() == pytest.approx([0, 0.5, 0.952574], abs=1e-6)
    assert usage_snippet("net", "onnx", {**facts, "input": "features"}) == ""
