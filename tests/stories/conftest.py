"""The command line as people use it: real processes, a study that takes seconds."""

from pathlib import Path

import pytest
from helpers.processes import Home
from helpers.recipes import TINY_ABLATION_YAML, TINY_RECIPE_YAML


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tiny.yaml").write_text(TINY_RECIPE_YAML)
    (tmp_path / "tiny.yaml").write_text(TINY_ABLATION_YAML)
    return Home(tmp_path)
