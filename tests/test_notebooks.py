"""Each notebook reads a study and draws, whatever of it there is, and is kept without outputs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.font_manager
import nbformat
import numpy as np
import pytest
from helpers.recipes import TINY
from helpers.records import finished_study, paired_values
from helpers.wandb_runs import log_two_arms
from typer.testing import CliRunner

import audiocls
from audiocls.audio.datasets.synthetic import Synthetic
from audiocls.cli import app
from audiocls.errors import AudioclsError, UsageError
from audiocls.library import notebook
from audiocls.render.formats.notebook_execution import executed
from audiocls.store import Study, StudyFolder

ROOT = Path(__file__).parent.parent
NAMES = ("compare", "learning_curves", "listen_to_errors", "noise_and_power")
MOST_CELLS = 8
SAM = {"arm": "use_sam", "baseline": "use_sam=false", "seed": "random_state", "metric": "acc"}


def write(folder: StudyFolder, study: Study, records, cache: Path) -> None:
    """The study as trials would leave it, with predictions that get better from arm to arm."""
    clips = Synthetic(**{k: v for k, v in TINY["data"].items() if k != "name"}).table(cache).clips
    rng = np.random.default_rng(0)
    folder.write_study(study)
    for cell in study.cells:
        trial = folder.trial(cell.id)
        tested = [clip for clip in clips if clip.fold == cell.fold]
        labels = np.array([clip.label for clip in tested])
        logits = rng.normal(size=(len(tested), 10))
        logits[np.arange(len(tested)), labels] += 1 + 2 * list(study.arms).index(cell.arm)
        trial.write_config({**TINY, "seed": cell.seed, "fold": cell.fold})
        trial.write_history([{"epoch": e, "val/accuracy": 0.2 * e} for e in (1, 2)])
        trial.write_predictions(
            {
                "clips": np.array([clip.id for clip in tested]),
                "sources": np.array([clip.source for clip in tested]),
                "labels": labels,
                "logits": logits,
            }
        )
        trial.finish(records[cell.id])


@pytest.fixture(autouse=True)
def _fonts(monkeypatch):
    """Kernels share the list of fonts that this process has made, which takes seconds."""
    monkeypatch.setenv("MPLCONFIGDIR", matplotlib.get_cachedir())


@pytest.fixture(scope="module")
def runs(tmp_path_factory, cache):
    """A folder with a study of two arms and a baseline."""
    runs = tmp_path_factory.mktemp("notebooks") / "runs"
    study, records = finished_study(paired_values(0.03, 0.0))
    write(StudyFolder(runs / "dropout"), study, records, cache)
    return runs


def outputs(document):
    return [output for cell in document.cells for output in cell.get("outputs", [])]


def shown(document, kind):
    """What a notebook shows of one kind, such as `text/markdown`."""
    return [output.data[kind] for output in outputs(document) if kind in output.get("data", {})]


def read(text):
    return nbformat.reads(text, as_version=4)


def run(name, runs):
    document = read(executed(notebook(name), {"study": "dropout", "runs": str(runs)}))
    nbformat.validate(document)
    assert not [output for output in outputs(document) if output.output_type == "stream"]
    return document


def test_curves_are_drawn_and_a_column_that_nobody_recorded_is_named(runs):
    document = run("learning_curves", runs)
    assert len(shown(document, "image/svg+xml")) == 1
    missing, epochs = shown(document, "text/markdown")
    assert missing == "no trial recorded 'val/loss'; recorded: epoch, val/accuracy"
    assert "| base | not recorded |" in epochs


def test_clips_that_changed_sides_can_be_listened_to(runs):
    document = run("listen_to_errors", runs)
    sounds = [text for text in shown(document, "text/html") if "<audio" in text]
    assert 0 < len(sounds) <= 2 * 2 * 3
    assert all("data:audio/" in text for text in sounds)
    assert "All predictions were read." in shown(document, "text/markdown")[0]


def test_noise_is_told_by_its_source_and_power_is_drawn(runs):
    document = run("noise_and_power", runs)
    (noise,) = shown(document, "text/html")
    assert "test/accuracy over 3 seeds × 5 folds" in noise
    assert all(f">{source}<" in noise for source in ("seed", "fold", "interaction"))
    assert len(shown(document, "image/png")) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_short_clean_and_of_no_machine(name):
    text = notebook(name).read_text(encoding="utf-8")
    document = json.loads(text)
    cells = document["cells"]
    assert len(cells) <= MOST_CELLS
    assert cells[0]["cell_type"] == "markdown"
    assert [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert not re.search(r"/(home|root|Users|tmp|mnt|work)/", text)
    assert "torch" not in text


def test_every_notebook_is_tested_and_told_of():
    assert {file.stem for file in (ROOT / "notebooks").glob("*.ipynb")} == set(NAMES)
    told = (ROOT / "notebooks" / "README.md").read_text()
    assert all(f"{name}.ipynb" in told for name in NAMES)


def test_reading_a_study_in_a_notebook_loads_no_torch(runs):
    program = (
        "import sys\n"
        "import audiocls\n"
        "audiocls.Study('dropout', sys.argv[1]).compare()\n"
        "print({'torch', 'wandb', 'nbclient', 'matplotlib'} & set(sys.modules) or 'light')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(runs)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "light"


def test_runs_are_found_above_the_notebooks_own_folder(runs, monkeypatch):
    (runs.parent / "notebooks").mkdir(exist_ok=True)
    monkeypatch.chdir(runs.parent / "notebooks")
    assert audiocls.Study("dropout").name == "dropout"
    assert audiocls.Study("../runs/dropout").name == "dropout"


def test_a_project_of_wandb_is_read_like_a_study(wandb_server, tmp_path):
    log_two_arms(tmp_path / "w")
    where = {"config.random_state": {"$lt": 1}}
    some = audiocls.Study("wandb:local/mine", **SAM, where=where).compare()
    assert some.arms[1].num_pairs == 1
    parameters = {"study": "wandb:local/mine", "wandb": SAM}
    document = read(executed(notebook("compare"), parameters))
    assert "use_sam=true" in shown(document, "text/html")[0]
    assert "2 pairs" in shown(document, "text/html")[0]


@pytest.mark.parametrize(
    ("study", "wandb", "words"),
    [
        ("dropout", {"arm": "x"}, "leave them out"),
        ("wandb:local/mine", {"baselin": "x"}, "Did you mean 'baseline'"),
        ("wandb:local", {}, "ENTITY/PROJECT"),
        ("dropuot", {}, "Did you mean 'dropout'"),
    ],
)
def test_a_study_that_cannot_be_read_is_refused_with_what_is_wanted(study, wandb, words, runs):
    with pytest.raises(UsageError, match=words):
        audiocls.Study(study, runs, **wandb)


def own(folder, *cells):
    """A notebook of these cells, the first one that of the parameters."""
    made = [nbformat.v4.new_code_cell(text, id=f"cell-{text[0]}") for text in cells]
    if made:
        made[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=made), folder / "own.ipynb")
    return folder / "own.ipynb"


def test_a_cell_that_fails_is_named_with_its_error(tmp_path):
    wanted = r"own.ipynb: cell 3 \(y = 1 / x\): ZeroDivisionError: division by zero"
    with pytest.raises(AudioclsError, match=wanted):
        executed(own(tmp_path, "x = 1", "y = 1 / x"), {"x": 0})


def test_a_notebook_without_a_cell_for_parameters_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no cell has the tag 'parameters'"):
        executed(own(tmp_path), {"study": "x"})


def report(runs, *words):
    return CliRunner().invoke(app, ["report", "dropout", "--runs", str(runs), *words])


def test_report_executes_the_notebook_for_the_study_into_its_folder(runs):
    ran = report(runs, "--format", "ipynb")
    path = runs / "dropout" / "compare.ipynb"
    assert (ran.exit_code, ran.stdout.split()) == (0, [str(path)]), ran.output
    document = read(path.read_text())
    answer = audiocls.Study("dropout", runs).compare().headline
    assert "over all 5 folds" in answer
    assert answer in shown(document, "text/plain")[0]
    assert len(shown(document, "image/svg+xml")) == 2


def test_without_the_extra_the_error_says_how_to_install_it(runs, tmp_path, monkeypatch):
    absent = {"nbclient": None, "ipykernel": None}
    monkeypatch.setattr(
        "audiocls.render.formats.notebook_execution.find_spec",
        lambda name: absent.get(name, "there"),
    )
    ran = report(runs, "--format", "ipynb", "--out", str(tmp_path / "x.ipynb"))
    assert ran.exit_code == 2
    message = " ".join(ran.stderr.split())
    assert "nbclient and ipykernel not installed" in message
    assert "pip install 'audiocls[notebooks]'" in message
    assert not (tmp_path / "x.ipynb").exists()
