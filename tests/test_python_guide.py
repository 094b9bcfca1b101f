"""Each snippet of docs/python.md runs, in order, as it is written."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from helpers.recipes import TINY_ABLATION_YAML, TINY_RECIPE_YAML

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "python.md").read_text()
SNIPPETS = re.findall(r"^```python( server)?\n(.*?)^```$", TEXT, re.S | re.M)
FASTER = ('wandb="offline"', 'wandb="disabled", executor="inline", progress=False')
"""What is written, and what it is run as: without processes and W&B's client."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder whose `dropout` and `tiny` are trained in a moment."""
    monkeypatch.chdir(tmp_path)
    for folder in ("recipes", "ablations"):
        Path(folder).mkdir()
    Path("recipes/tiny.yaml").write_text(TINY_RECIPE_YAML)
    small = TINY_ABLATION_YAML.replace("[0.1, 0.5]", "[0.1]").replace("tiny\nq", "dropout\nq")
    Path("ablations/dropout.yaml").write_text(small)


def test_every_snippet_runs_as_it_is_written(project):
    names: dict[str, object] = {}
    printed = io.StringIO()
    for is_server, code in SNIPPETS:
        compiled = compile(code.replace(*FASTER), "docs/python.md", "exec")
        if not is_server:
            with contextlib.redirect_stdout(printed):
                exec(compiled, names)
    assert "6 trials" not in printed.getvalue()
    assert "12 trials" in printed.getvalue()
    assert "{'cnn': 'better'}" in printed.getvalue()
    assert "launch() has no option 'sedes'. Did you mean 'seeds'?" in printed.getvalue()
    assert Path("pairs.svg").read_text().startswith("<svg")
    assert Path("dropout.md").exists()
