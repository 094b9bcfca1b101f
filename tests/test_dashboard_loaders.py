"""What `report --format wandb` writes is what W&B's own client reads, to the last panel."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers.records import finished_study, paired_values, write_study
from helpers.reports import GOLDEN, filters_of, panels_of, read_json, report_to_wandb, texts_of

from audiocls.render.formats.wandb.workspaces_adapter import spec_of, wr, ws
from audiocls.tracking.wandb.log import LoggedRun

ROOT = Path(__file__).parent.parent


def read_back(file: Path) -> tuple[dict, dict]:
    """Return what the file holds, and that after the client has loaded and written it."""
    written = read_json(file)
    if "report" in file.name:
        loaded = wr.Report._from_model(wr.internal.ReportViewspec.model_validate(written))
    else:
        loaded = ws.Workspace._from_model(ws.internal.View.model_validate(written))
    return written, spec_of(loaded)


@pytest.mark.parametrize("name", ["report", "search_report", "workspace", "search_workspace"])
def test_the_client_loads_every_panel_filter_and_word(name):
    written, loaded = read_back(GOLDEN / f"{name}.wandb.json")
    assert list(panels_of(written))
    assert list(panels_of(loaded)) == list(panels_of(written))
    assert filters_of(loaded) == filters_of(written)
    assert texts_of(loaded["spec"]) == texts_of(written["spec"])


@pytest.mark.parametrize("name", ["report", "search_report", "workspace", "search_workspace"])
def test_the_client_keeps_every_value_but_the_width_of_a_report(name):
    """Its loader of Reports does not read the width, whose default is `readable`; W&B shows it."""
    written, loaded = (_parsed(each) for each in read_back(GOLDEN / f"{name}.wandb.json"))
    if "report" in name:
        assert (written["spec"].pop("width"), loaded["spec"].pop("width")) == ("fixed", "readable")
    assert loaded == written


def _parsed(file: dict) -> dict:
    spec = file["spec"]
    return {**file, "spec": json.loads(spec) if isinstance(spec, str) else spec}


def test_both_files_of_a_command_are_loaded_by_the_client(tmp_path):
    folder = write_study(tmp_path / "dropout", *finished_study(paired_values(0.03)))
    report_to_wandb(folder)
    for name in ("report", "workspace"):
        written, loaded = read_back(folder.path / f"{name}.wandb.json")
        assert list(panels_of(loaded)) == list(panels_of(written))
        assert loaded["displayName"] == written["displayName"] == "dropout"


# The picture in docs/wandb.md


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    """`docs/dashboard.py`, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("dashboard", ROOT / "docs" / "dashboard.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_panel_shows_the_mean_of_each_arm_as_logged(drawing):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.add_subplot()
    panel = next(p for p in panels_of(json.loads((GOLDEN / "workspace.wandb.json").read_text())))
    runs = [
        LoggedRun(name=f"{arm}-{i}", config={"arm": arm}, summary={"test/accuracy": value})
        for arm, values in {"base": (0.5, 0.7), "wide": (0.8,)}.items()
        for i, value in enumerate(values)
    ]
    drawing.draw_bars(axes, panel, runs)
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.6, 0.8])
    assert drawing.value_of(LoggedRun(config={"m": {"d": 1}}), "config:m.value.d") == 1
