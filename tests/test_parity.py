"""The recipes have what their sources have, or their headers say where not."""

import runpy
from pathlib import Path

PARITY = Path(__file__).parents[1] / "benchmarks" / "parity.py"


def test_every_row_equals_its_source_or_is_explained_by_the_recipes_header():
    found = list(runpy.run_path(str(PARITY))["rows"]())
    assert len(found) > 50
    assert [row for row in found if not row.is_equal and not row.is_explained] == []
